"""The bells of a process, and how they are heard in the others."""

from dataclasses import dataclass, field, fields
from functools import partial

from tracker.adapters.store.place import DatabasePlace, Wakeups
from tracker.usecases.wake import Bell


@dataclass(frozen=True, slots=True)
class Bells:
    """What rings when something is there to do.

    Attributes:
        inbox: An event to open.
        journal: New entries.
        asks: Somebody to be asked.
        subscriptions: One came or went.
        replays: One was asked for, or cancelled.
        exports: One was asked for, or deleted.
    """

    inbox: Bell = field(default_factory=Bell)
    journal: Bell = field(default_factory=Bell)
    asks: Bell = field(default_factory=Bell)
    subscriptions: Bell = field(default_factory=Bell)
    replays: Bell = field(default_factory=Bell)
    exports: Bell = field(default_factory=Bell)

    def connect(self, place: DatabasePlace) -> Wakeups | None:
        """Have other services on the same database hear them, and hear theirs; None if there can be none."""
        named: dict[str, Bell] = {one.name: getattr(self, one.name) for one in fields(self)}
        wakeups = place.wakeups(lambda name: named[name].ring_here(), frozenset(named))
        if wakeups is not None:
            for name, bell in named.items():
                bell.pass_on = partial(wakeups.tell, name)
        return wakeups
