"""Groups of renewals for the back office: which one counts, what they cover, and how each differs from the one before."""

from collections.abc import Sequence
from dataclasses import dataclass

from tracker.domain.chains import Link, age_order, current_link, root_of
from tracker.domain.consent import Status
from tracker.domain.cover import Cover, Span, authorized_spans, cover_of
from tracker.domain.errors import ConsentNotFoundError
from tracker.domain.lifecycle import holders_moves
from tracker.domain.limits import ScopeChange, scope_change
from tracker.ports import Store, StoredReport
from tracker.usecases.consult import ConsentView, Consulting
from tracker.usecases.timeline import undenied

MOST_MEMBERS = 200
"""A group that is renewed every month has so many after sixteen years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One consent of a group.

    Attributes:
        seen: It, as it is now.
        is_root: Its id is the group's.
        authorized: When it was authorized, and until when it will be, by the holder's clock.
        predecessor: The youngest of the older ones that was ever authorized.
        scope: How it differs from that one in what it allows.
    """

    seen: ConsentView
    is_root: bool
    authorized: tuple[Span, ...]
    predecessor: ConsentView | None = None
    scope: ScopeChange | None = None

    @property
    def is_predecessor_revoked(self) -> bool | None:
        """Whether the predecessor was revoked; None without one."""
        return None if self.predecessor is None else self.predecessor.effective_status is Status.REVOKED


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Consents that renew each other.

    Attributes:
        provider: Whose they are.
        base_consent_id: What the first one is called.
        members: The oldest first.
        current: The one that counts: the youngest that is authorized.
        cover: When any of them is authorized, with the gaps, and when several are.
        is_whole: All of them are here: there are no more than we show.
    """

    provider: str
    base_consent_id: str
    members: tuple[Member, ...]
    current: ConsentView | None
    cover: Cover
    is_whole: bool


class Groups:
    """Reads groups."""

    def __init__(self, store: Store, consulting: Consulting) -> None:
        self._store = store
        self._consulting = consulting

    async def get(self, provider: str, base_consent_id: str) -> Group:
        """One group by its root's id, whether or not the root itself is tracked; a consent without renewals is one too.

        Raises:
            ConsentNotFoundError: None of it is tracked, or the id is that of a renewal.
        """
        found = await self._consulting.chain(provider, base_consent_id, MOST_MEMBERS + 1)
        if not found:
            raise ConsentNotFoundError
        if len(found) == 1 and root_of(found[0].consent) != base_consent_id:
            root = root_of(found[0].consent)
            raise ConsentNotFoundError(f"This consent is a renewal; its group goes by the id of the first one, {root}.")
        oldest_first = sorted(found, key=lambda seen: age_order(seen.consent))[-MOST_MEMBERS:]
        reports = await self._store.reports_of_each([seen.consent.tracking_id for seen in oldest_first])
        members: list[Member] = []
        for seen in oldest_first:
            spans = _authorized(seen, reports.get(seen.consent.tracking_id, ()))
            members.append(_member(seen, spans, members, base_consent_id))
        current = current_link([_link(seen) for seen in oldest_first])
        return Group(
            provider=provider,
            base_consent_id=base_consent_id,
            members=tuple(members),
            current=next((seen for seen in found if current and seen.consent.tracking_id == current.tracking_id), None),
            cover=cover_of({member.seen.consent.consent_id: member.authorized for member in members}),
            is_whole=len(found) <= MOST_MEMBERS,
        )


def _member(seen: ConsentView, authorized: tuple[Span, ...], older: Sequence[Member], root: str) -> Member:
    before = next((member.seen for member in reversed(older) if member.authorized), None)
    return Member(
        seen=seen,
        is_root=seen.consent.consent_id == root,
        authorized=authorized,
        predecessor=before,
        scope=None if before is None else _scope_change(before, seen),
    )


def _scope_change(before: ConsentView, after: ConsentView) -> ScopeChange:
    are_known = before.consent.terms is not None and after.consent.terms is not None
    limits = (before.limits, after.limits) if are_known else ((), ())
    return scope_change(before.consent.permissions, after.consent.permissions, *limits)


def _authorized(seen: ConsentView, on_record: Sequence[StoredReport]) -> tuple[Span, ...]:
    # An answer that told nothing new is not on record by itself, but it stands.
    reports = {r.digest: r for r in (*(stored.report for stored in on_record), *seen.consent.summary.standing)}
    rules = seen.kind.rules
    moves = holders_moves(undenied(list(reports.values()), rules), rules)
    has_ended = seen.decision.status.is_terminal
    ends_at = seen.decision.since if has_ended else seen.decision.expiration_date_time
    return authorized_spans((claim for claim, _ in moves), ends_at)


def _link(seen: ConsentView) -> Link:
    return Link(
        tracking_id=seen.consent.tracking_id,
        age=age_order(seen.consent),
        status=seen.effective_status,
        since=seen.decision.since,
    )
