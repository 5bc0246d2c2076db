"""What the back office does for subscribers, made and wired."""

from tracker.adapters.store.store import SqlStore
from tracker.app.bells import Bells
from tracker.ports import Clock, Entropy, Ids, Sender
from tracker.usecases.leasing import Leasing
from tracker.usecases.preview import Previews
from tracker.usecases.replaying import Replayer
from tracker.usecases.replays import Replays
from tracker.usecases.rerun import ReplayPorts
from tracker.usecases.resending import Overview, Resending


def resending(
    store: SqlStore, sender: Sender, clock: Clock, ids: Ids, entropy: Entropy, bells: Bells, leasing: Leasing | None
) -> Resending:
    """Make it."""
    ports = ReplayPorts(
        store=store,
        book=store.replays,
        sender=sender,
        clock=clock,
        entropy=entropy,
        subscriptions_changed=bells.subscriptions,
    )
    return Resending(
        overview=Overview(store, clock),
        replays=Replays(store=store, book=store.replays, clock=clock, ids=ids, changed=bells.replays),
        replayer=Replayer(ports, bells.replays, leasing),
        previews=Previews(store),
    )
