"""The database, behind the ports.

`tables` is the schema; `rows` turns rows into what the domain knows and back; `transaction` is a transaction as its script
sees it; `readings` are the queries; `sqlite` knows how SQLite is driven. What is shared speaks SQLAlchemy Core on a plain
synchronous connection, so that another database needs a driver module of its own and nothing else.
"""

from tracker.adapters.store import (
    access_tables as access_tables,
)
from tracker.adapters.store import (
    belief_tables as belief_tables,
)
from tracker.adapters.store import (
    checkpoint_tables as checkpoint_tables,
)
from tracker.adapters.store import (
    completion_tables as completion_tables,
)
from tracker.adapters.store import (
    export_tables as export_tables,
)
from tracker.adapters.store import (
    provider_tables as provider_tables,
)
from tracker.adapters.store import (
    pull_tables as pull_tables,
)
from tracker.adapters.store import (
    replay_tables as replay_tables,
)
from tracker.adapters.store import (
    retention_tables as retention_tables,
)
from tracker.adapters.store import (
    subscription_tables as subscription_tables,
)
from tracker.adapters.store import (
    tile_tables as tile_tables,
)  # so that the schema is whole, whoever asks for it
