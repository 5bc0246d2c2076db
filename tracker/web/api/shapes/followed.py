"""Subscriptions with how far behind they are, over the wire."""

from pydantic import Field

from tracker.usecases.resending import Followed
from tracker.web.api.shapes.fields import Out
from tracker.web.api.shapes.subscriptions import SubscriptionOut


class FollowedOut(SubscriptionOut):
    """A subscription, where it stands, and how far behind that is."""

    entries_behind: int = Field(description="Entries of the journal behind the `cursor`, heard or not.")
    seconds_behind: float = Field(description="How old the first of them is; 0 if there is none.")
    parked_entries: int = Field(description="Entries that were refused or wait behind one, and will be told yet.")
    dead_letters: int = Field(description="Entries that were given up: told only when somebody asks for it.")

    @classmethod
    def followed(cls, one: Followed) -> "FollowedOut":
        """Show one."""
        plain = SubscriptionOut.of(one.subscription, one.at)
        return cls(
            **{name: getattr(plain, name) for name in SubscriptionOut.model_fields},
            entries_behind=one.lag.entries,
            seconds_behind=round(one.seconds_behind, 3),
            parked_entries=one.lag.parked,
            dead_letters=one.lag.dead_letters,
        )


class FollowedListOut(Out):
    """A page of subscriptions."""

    items: tuple[FollowedOut, ...]
    next_cursor: str | None
