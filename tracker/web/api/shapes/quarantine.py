"""Events that were put aside, over the wire. Neither what was inside them nor the body is ever shown."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from tracker.ports import Quarantined, QuarantineFilter
from tracker.usecases.quarantine import Retried
from tracker.web.api.shapes.fields import In, Out, PageQuery, ProviderIdText, TimeOut, YesOrNo

Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}$")]


class QuarantineQuery(PageQuery):
    """A page of the quarantine."""

    reason: Word | None = Field(None, description="Only put aside for this reason.")
    step: Word | None = Field(None, description="Only refused by this step.")
    provider: ProviderIdText | None = Field(None, description="Only events that say to be this provider's.")
    verified: YesOrNo | None = Field(
        None, description="Only those of which the holder's signature held (`true`), or the others (`false`)."
    )

    @property
    def only(self) -> QuarantineFilter:
        """The search."""
        return QuarantineFilter(reason=self.reason, step=self.step, provider=self.provider, verified=self.verified)


class RetryIn(In):
    """Which events are to be opened again."""

    reason: Word = Field(description="All that were put aside for this reason.")
    step: Word | None = Field(None, description="Of them only those refused by this step.")
    provider: ProviderIdText | None = Field(None, description="Of them only those that say to be this provider's.")
    verified: bool | None = Field(None, description="Of them only the verified ones, or only the others.")

    @property
    def only(self) -> QuarantineFilter:
        """The search."""
        return QuarantineFilter(reason=self.reason, step=self.step, provider=self.provider, verified=self.verified)


class RetriedOut(Out):
    """What a retry did. What comes of it is seen when the events have been opened."""

    retried: int = Field(description="How many events went back into the inbox.")
    complete: bool = Field(description="Whether that was all; if not, the inbox is full: try again later.")

    @classmethod
    def of(cls, retried: Retried) -> "RetriedOut":
        """Show it."""
        return cls(retried=retried.count, complete=retried.is_complete)


class QuarantinedOut(Out):
    """An event that was put aside."""

    id: str
    profile: str
    step: str = Field(description="Which step of opening it refused it.")
    reason: str
    verified: bool = Field(description="Whether the holder's signature held.")
    received_at: TimeOut
    quarantined_at: TimeOut
    interaction_id: str
    provider: str | None = Field(description="Whose it is; while it is not verified, whose it says to be.")
    kid: str | None = Field(description="The holder's key that it names as the one that signed it.")
    our_kid: str | None = Field(description="The key of ours that it names as the one that it is encrypted for.")
    retries: int = Field(description="How often it was tried again.")
    size_bytes: int

    @classmethod
    def of(cls, event: Quarantined) -> "QuarantinedOut":
        """Show it, but for its body."""
        return cls(**_facts(event))


class QuarantinedKeysOut(QuarantinedOut):
    """An event that was put aside, with the keys that were tried."""

    our_key_is_here: bool = Field(description="Whether we have the key `our_kid` now.")
    keys_at_hand: tuple[str, ...] | None = Field(
        description="The ids of the provider's keys that were at hand, the first 20; null if none was looked for."
    )

    @classmethod
    def with_keys(cls, event: Quarantined, *, our_key_is_here: bool) -> "QuarantinedKeysOut":
        """Show it with what was tried."""
        return cls(**_facts(event), our_key_is_here=our_key_is_here, keys_at_hand=event.keys_at_hand)


class QuarantineOut(Out):
    """A page of the quarantine, the last received first."""

    items: tuple[QuarantinedOut, ...]
    next_cursor: str | None


def _facts(event: Quarantined) -> dict[str, Any]:
    facts = {name: getattr(event, name) for name in QuarantinedOut.model_fields if name != "size_bytes"}
    return facts | {"size_bytes": len(event.body)}
