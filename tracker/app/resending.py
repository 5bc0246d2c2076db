"""What the back office does for subscribers, made and wired."""

from tracker.adapters.store.store import SqlStore
from tracker.ports import Clock, Entropy, Ids, Sender
from tracker.usecases.leasing import Leasing
from tracker.usecases.preview import Previews
from tracker.usecases.replaying import Replayer
from tracker.usecases.replays import Replays
from tracker.usecases.rerun import ReplayPorts
from tracker.usecases.resending import Overview, Resending
from tracker.usecases.wake import Bell


def resending(
    store: SqlStore, sender: Sender, clock: Clock, ids: Ids, entropy: Entropy, changed: Bell, leasing: Leasing | None
) -> Resending:
    """Make it."""
    ports = ReplayPorts(store=store, book=store.replays, sender=sender, clock=clock, entropy=entropy)
    return Resending(
        overview=Overview(store, clock),
        replays=Replays(store=store, book=store.replays, clock=clock, ids=ids, changed=changed),
        replayer=Replayer(ports, changed, leasing),
        previews=Previews(store),
    )
