"""Exports over the wire."""

from typing import Annotated

from pydantic import Field, StringConstraints

from tracker.domain.consent import is_consent_id
from tracker.domain.errors import InvalidRequestError
from tracker.domain.export import ExportJob, ExportRequest, ExportState, Format
from tracker.web.api.shapes.fields import In, Out, ProviderIdText, ShortText, TimeIn, TimeOut

_ConsentName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}/[!-~]{1,128}$")]


class ExportIn(In):
    """What is to be exported; what is left out does not narrow it."""

    format: Annotated[Format, Field(strict=False)] = Field(
        Format.JSONL, description="`jsonl` is lossless and proved; the others are for reading."
    )
    since: TimeIn | None = Field(None, alias="from", description="Recorded at this time or later.")
    until: TimeIn | None = Field(None, alias="to", description="Recorded before this time.")
    provider: ProviderIdText | None = Field(None, description="Of this provider.")
    kind: ShortText | None = Field(None, description="Of this kind of consent.")
    consent: _ConsentName | None = Field(None, description="About this consent: provider, slash, its id.")
    user_ref: ShortText | None = Field(None, description="About the consents that have this reference now.")

    def request(self) -> ExportRequest:
        """What was asked for.

        Raises:
            InvalidRequestError: The consent is of another provider, or no consent's name.
        """
        provider, consent_id = self.provider, None
        if self.consent is not None:
            its_provider, _, consent_id = self.consent.partition("/")
            if provider not in {None, its_provider} or not is_consent_id(consent_id):
                raise InvalidRequestError("consent is PROVIDER/CONSENT_ID, of the same provider.")
            provider = its_provider
        return ExportRequest(
            format=self.format,
            since=self.since,
            until=self.until,
            provider=provider,
            kind=self.kind,
            consent_id=consent_id,
            user_ref=self.user_ref,
        )


class ExportFileOut(Out):
    """A file of an export."""

    name: str
    bytes: int
    sha256: str = Field(description="Hex.")


class ExportOut(Out):
    """An export, and how far it has come."""

    id: str
    format: Format
    since: TimeOut | None = Field(serialization_alias="from")
    until: TimeOut | None = Field(serialization_alias="to")
    provider: str | None
    kind: str | None
    consent_id: str | None
    user_ref: str | None
    state: ExportState = Field(description="`running` also while whoever wrote it is gone and nobody goes on yet.")
    asked_by: str = Field(description="The id of the API key that asked.")
    position: int = Field(description="How many entries it has looked at, or consents.")
    total: int = Field(description="Of how many; 0 before it is known.")
    count: int = Field(description="How many are in it, once it is done.")
    files: tuple[ExportFileOut, ...] = Field(description="What can be fetched once it is done, the manifest too.")
    place: str | None = Field(description="Where the files lie, for who administers the machines.")
    created_at: TimeOut
    started_at: TimeOut | None
    finished_at: TimeOut | None
    last_error: str | None

    @classmethod
    def of(cls, job: ExportJob) -> "ExportOut":
        """Show one."""
        wanted = ("format", "since", "until", "provider", "kind", "consent_id", "user_ref")
        own = {name: getattr(job, name) for name in cls.model_fields if name not in {*wanted, "files"}}
        files = tuple(ExportFileOut(name=file.name, bytes=file.bytes, sha256=file.sha256) for file in job.files)
        return cls(**own, **{name: getattr(job.request, name) for name in wanted}, files=files)


class ExportsOut(Out):
    """A page of the exports, the last asked for first."""

    items: tuple[ExportOut, ...]
    next_cursor: str | None
