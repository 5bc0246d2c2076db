"""The access record over the wire."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from tracker.usecases.access import Looked
from tracker.web.api.shapes.fields import ConsentIdText, Out, PageQuery, ProviderIdText, TimeIn, TimeOut

_Who = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,128}$")]
_Key = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class AccessQueryIn(PageQuery):
    """A search among looks, the last first. All that is given must hold."""

    provider: ProviderIdText | None = Field(None, description="Looks at one consent: whose it is. With `consent_id`.")
    consent_id: ConsentIdText | None = Field(None, description="And what the holder calls it. With `provider`.")
    tracking_id: _Key | None = Field(None, description="Looks at one consent, by our key of it.")
    who: _Who | None = Field(None, description="An API key's id, or `cli:` and the name of a user of the machine.")
    since: TimeIn | None = Field(None, description="Not before this time.")
    until: TimeIn | None = Field(None, description="Before this time.")


class AccessOut(Out):
    """One look."""

    id: str
    at: TimeOut
    who: str = Field(description="The API key's id, or `cli:` and the name of a user of the machine.")
    name: str | None = Field(description="What the API key is called; null for the command line.")
    what: str = Field(description="Which look, such as `consent.show`, `consent.usable` or `journal.export`.")
    tracking_id: str | None = Field(description="The consent; null where there were several, or it is not tracked.")
    provider: str | None = Field(description="As it was asked for.")
    consent_id: str | None = Field(description="As it was asked for.")
    asked: dict[str, Any] | None = Field(
        description="The rest of the question; a user that was searched for is left out."
    )
    shown: int | None = Field(description="How many consents or entries were shown, where it was not one consent.")
    shown_ids: tuple[str, ...] = Field(description="Tracking ids of what was shown, where it was not one consent.")
    peer: str | None = Field(description="From which address; null for the command line.")
    interaction_id: str = Field(description="The request's `x-fapi-interaction-id`, or one of ours.")
    status: int = Field(description="What was answered.")

    @classmethod
    def of(cls, looked: Looked) -> "AccessOut":
        """Show it."""
        access = looked.access
        facts = {name: getattr(access, name) for name in cls.model_fields if name not in {"name", "asked"}}
        return cls(**facts, name=looked.name, asked=None if access.asked is None else dict(access.asked))


class AccessesOut(Out):
    """A page of looks."""

    items: tuple[AccessOut, ...]
    next_cursor: str | None
