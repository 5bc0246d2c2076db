"""Take the oldest partition out of the journal's table."""

from sqlalchemy import Connection

from tracker.adapters.clock import SystemClock
from tracker.adapters.store.detaching import OldestPart, detach, oldest_part
from tracker.app.database import owners_place
from tracker.settings import Settings


def detach_journal(settings: Settings, *, is_rehearsal: bool) -> OldestPart | None:
    """As the owner of the tables, look at the oldest partition, and take it out if nothing needs it; say which it is.

    In a rehearsal it stays.

    None: this database has no partitions.

    Raises:
        ConfigurationError: The database cannot be used, or somebody else did not let go of the table in time.
    """
    now = SystemClock().now()

    def work(connection: Connection) -> OldestPart | None:
        found = oldest_part(connection)
        if found is not None and not found.needed and not is_rehearsal:
            detach(connection, found, now)
        return found

    return owners_place(settings).run(work)
