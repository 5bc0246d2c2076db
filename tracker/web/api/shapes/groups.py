"""Groups of renewals over the wire."""

from pydantic import Field

from tracker.domain.consent import Status
from tracker.domain.cover import Span
from tracker.domain.limits import Change, ScopeChange
from tracker.usecases.groups import Group, Member
from tracker.web.api.shapes.fields import Out, TimeOut


class SpanOut(Out):
    """A time, by the holder's clock."""

    since: TimeOut
    until: TimeOut | None = Field(description="May lie ahead: then it is planned; null while no end is known.")

    @classmethod
    def of(cls, span: Span) -> "SpanOut":
        """Show a time."""
        return cls(since=span.since, until=span.until)


class OverlapOut(SpanOut):
    """A time in which several are authorized."""

    consent_ids: tuple[str, ...]


class ScopeChangeOut(Out):
    """What a consent allows that the one before it did not, and the other way round."""

    change: Change = Field(description="In a word; `different`: wider in some and narrower in others.")
    permissions_added: tuple[str, ...]
    permissions_removed: tuple[str, ...]
    limits_raised: tuple[str, ...] = Field(description="Names of `limits` that are higher, or gone.")
    limits_lowered: tuple[str, ...] = Field(description="Names of `limits` that are lower, or new.")

    @classmethod
    def of(cls, found: ScopeChange) -> "ScopeChangeOut":
        """Show a comparison."""
        return cls(
            change=found.change,
            permissions_added=found.added,
            permissions_removed=found.removed,
            limits_raised=found.raised,
            limits_lowered=found.lowered,
        )


class PredecessorOut(Out):
    """The consent that another one renews: the youngest of the older ones that was ever authorized."""

    consent_id: str
    effective_status: Status
    revoked: bool = Field(description="Whether it was revoked, as it should be once the other one is authorized.")
    revoked_by: str | None
    scope: ScopeChangeOut = Field(description="How the renewal differs from it.")


class MemberOut(Out):
    """One consent of a group."""

    tracking_id: str
    consent_id: str
    kind: str
    is_root: bool = Field(description="Whether the others name this one.")
    status: Status = Field(description="What the holder last said.")
    effective_status: Status = Field(description="The same with our clock added.")
    usable: bool
    created_date_time: TimeOut | None
    expiration_date_time: TimeOut | None
    permissions: tuple[str, ...]
    authorized: tuple[SpanOut, ...] = Field(description="When it was authorized, and until when it will be.")
    predecessor: PredecessorOut | None

    @classmethod
    def of(cls, member: Member) -> "MemberOut":
        """Show a member."""
        seen = member.seen
        return cls(
            tracking_id=seen.consent.tracking_id,
            consent_id=seen.consent.consent_id,
            kind=seen.consent.kind,
            is_root=member.is_root,
            status=seen.decision.status,
            effective_status=seen.effective_status,
            usable=seen.usable,
            created_date_time=seen.consent.creation_date_time,
            expiration_date_time=seen.decision.expiration_date_time,
            permissions=seen.consent.permissions,
            authorized=tuple(map(SpanOut.of, member.authorized)),
            predecessor=_predecessor(member),
        )


class GroupOut(Out):
    """Consents that renew each other."""

    provider: str
    base_consent_id: str = Field(description="What the first one is called; it need not be tracked.")
    current_consent_id: str | None = Field(description="The youngest that is authorized now.")
    usable: bool = Field(description="Whether that one may be used.")
    members: tuple[MemberOut, ...] = Field(description="The oldest first.")
    covered: tuple[SpanOut, ...] = Field(description="When any of them is authorized.")
    gaps: tuple[SpanOut, ...] = Field(description="The times between these.")
    overlaps: tuple[OverlapOut, ...] = Field(description="When more than one is.")
    is_whole: bool = Field(
        description="False when there are more members than are shown: then the oldest are left out."
    )

    @classmethod
    def of(cls, group: Group) -> "GroupOut":
        """Show a group."""
        current, cover = group.current, group.cover
        return cls(
            provider=group.provider,
            base_consent_id=group.base_consent_id,
            current_consent_id=None if current is None else current.consent.consent_id,
            usable=current is not None and current.usable,
            members=tuple(map(MemberOut.of, group.members)),
            covered=tuple(map(SpanOut.of, cover.spans)),
            gaps=tuple(map(SpanOut.of, cover.gaps)),
            overlaps=tuple(
                OverlapOut(since=o.span.since, until=o.span.until, consent_ids=o.names) for o in cover.overlaps
            ),
            is_whole=group.is_whole,
        )


def _predecessor(member: Member) -> PredecessorOut | None:
    before, scope = member.predecessor, member.scope
    if before is None or scope is None:
        return None
    return PredecessorOut(
        consent_id=before.consent.consent_id,
        effective_status=before.effective_status,
        revoked=member.is_predecessor_revoked is True,
        revoked_by=before.consent.revoked_by,
        scope=ScopeChangeOut.of(scope),
    )
