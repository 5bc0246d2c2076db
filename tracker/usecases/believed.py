"""What we believed of a consent at an instant: by its entries as they were recorded up to then, and never judged again."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from tracker.domain.changed import changed
from tracker.domain.consent import Status, TrackingId
from tracker.domain.decision import Contradiction, Decision
from tracker.domain.errors import ConsentNotFoundError, InvalidRequestError
from tracker.domain.journey import Journey
from tracker.domain.lifecycle import Verdict
from tracker.journal.entry import Entry
from tracker.ports import Clock, Confirmation, ConsentQuery, Past, Store, StoredReport
from tracker.usecases.back_then import overlay_at
from tracker.usecases.consult import ConsentView, Consulting, Known
from tracker.usecases.replayed import Replayed, holders_word_at, learned_late, replayed

_BESIDE: Final = frozenset({"in_doubt", "expiration_date_time"})
_OF_A_REPORT: Final = frozenset({"effective_status", "status", "usable"})
_CONFIRMED: Final = frozenset({"confirmed_at", "confirmed_by"})
_NEVER_TOLD: Final = frozenset({"authorizers", "journey", "next_poll_at", "payment_outcome", "version"})
_READ_FROM_TERMS: Final = frozenset({"permissions", "created_date_time", "authorization_expiration_date_time"})
_OF_TERMS: Final = _READ_FROM_TERMS | {"terms", "limits", "nearly_exhausted"}
_NOTHING: Final[frozenset[str]] = frozenset()
_VOUCHING: Final = frozenset({Verdict.MOVED, Verdict.CONFIRMED})
_LOOKED_THROUGH: Final = 2000
_AT_ONCE: Final = 250


@dataclass(frozen=True, slots=True)
class BelievedPage:
    """A part of a list of what we believed.

    Attributes:
        items: Those that are wanted.
        last: The tracking id behind which the list goes on; None: there is nothing behind it.
    """

    items: Sequence[ConsentView]
    last: TrackingId | None


class Believing:
    """Answers what we believed."""

    def __init__(self, store: Store, past: Past, clock: Clock, consulting: Consulting) -> None:
        self._store = store
        self._past = past
        self._clock = clock
        self._consulting = consulting

    async def known_at(self, found: ConsentView, known_at: datetime, as_of: datetime | None = None) -> ConsentView:
        """What we believed of a consent at an instant; or what we believed then of another instant.

        Args:
            found: The consent as it is today.
            known_at: Nothing that was recorded later counts.
            as_of: Of which instant; None: of the same.

        Raises:
            InvalidRequestError: An instant has not come.
            ConsentNotFoundError: The consent was not tracked yet.
        """
        self._require_past(found.at, known_at, as_of)
        key = found.consent.tracking_id
        entries = (await self._past.entries_known([key], known_at)).get(key, [])
        if not entries:
            raise ConsentNotFoundError("The consent was not tracked at that time.")
        beliefs = (await self._past.beliefs([key], known_at)).get(key, [])
        known = replayed(entries, beliefs, found.consent.overlay, known_at)
        reports = await self._store.reports_of(key)
        seen = _seen(found, known, known_at, await self._vouched(key, reports, known_at))
        return seen if as_of is None else _as_of(seen, known, as_of, learned_late(entries, reports))

    async def search(self, query: ConsentQuery, known_at: datetime) -> BelievedPage:
        """Search among what we believed, in order of tracking id; a page may hold fewer than there are behind it, or none.

        What does not change is looked up as ever; the statuses and the expiry are those that we believed, so for them each
        consent is replayed, up to 2,000 for a page.

        Raises:
            InvalidRequestError: The instant has not come, or it is searched for what nothing tells of the past.
        """
        self._require_past(self._clock.now(), known_at, None)
        if query.updated_since is not None:
            raise InvalidRequestError("updated_since is of today, and does not go together with known_at.")
        wanted = replace(query, status=None, effective_status=None, expiring_before=None, limit=_AT_ONCE + 1)
        items: list[ConsentView] = []
        for _ in range(_LOOKED_THROUGH // _AT_ONCE):
            found = await self._consulting.search(wanted)
            for seen in await self._believed(found[:_AT_ONCE], known_at):
                if len(items) == query.limit:
                    return BelievedPage(items, items[-1].consent.tracking_id)
                if _is_wanted(seen, query):
                    items.append(seen)
            if len(found) <= _AT_ONCE:
                return BelievedPage(items, None)
            wanted = replace(wanted, after=found[_AT_ONCE - 1].consent.tracking_id)
        return BelievedPage(items, TrackingId(wanted.after or ""))

    async def _believed(self, found: Sequence[ConsentView], known_at: datetime) -> list[ConsentView]:
        keys = [seen.consent.tracking_id for seen in found]
        entries, beliefs = await self._past.entries_known(keys, known_at), await self._past.beliefs(keys, known_at)
        there = [(seen, entries[key]) for seen, key in zip(found, keys, strict=True) if key in entries]
        return [
            _seen(
                seen,
                replayed(theirs, beliefs.get(seen.consent.tracking_id, []), seen.consent.overlay, known_at),
                known_at,
            )
            for seen, theirs in there
        ]

    async def _vouched(
        self, tracking_id: TrackingId, reports: Iterable[StoredReport], known_at: datetime
    ) -> Confirmation | None:
        """The latest instant for which the holder had vouched: by the confirmation log, or by a report that moved something."""
        logged = await self._past.last_confirmation(tracking_id, known_at)
        heard = [
            Confirmation(
                tracking_id=tracking_id,
                vouched_at=stored.vouched_at,
                recorded_at=stored.report.recorded_at,
                channel=stored.report.channel,
                status=stored.report.status,
            )
            for stored in reports
            if stored.verdict in _VOUCHING and stored.report.recorded_at <= known_at
        ]
        # Of two that vouch for the same instant, a reader was told of the one that came last.
        latest = sorted(
            [*heard, *([] if logged is None else [logged])], key=lambda one: (one.vouched_at, one.recorded_at)
        )
        return latest[-1] if latest else None

    def _require_past(self, today: datetime, known_at: datetime, as_of: datetime | None) -> None:
        now = max(self._clock.now(), today)
        if known_at > now:
            raise InvalidRequestError("known_at lies in the future; nobody knows what will be believed then.")
        if as_of is not None and as_of > now:
            raise InvalidRequestError("as_of lies in the future; nobody knows what will be then.")


def _is_wanted(seen: ConsentView, query: ConsentQuery) -> bool:
    expiry = seen.decision.expiration_date_time
    return (
        query.status in {None, seen.decision.status}
        and query.effective_status in {None, seen.effective_status}
        and (query.expiring_before is None or (expiry is not None and expiry < query.expiring_before))
    )


def _seen(
    found: ConsentView,
    known: Replayed,
    known_at: datetime,
    vouched: Confirmation | None = None,
) -> ConsentView:
    terms, untold = _terms(found, known.entries)
    consent = changed(
        found.consent,
        overlay=known.overlay,
        learned_at=known.learned_at,
        confirmed_at=None if vouched is None else vouched.vouched_at,
        confirmed_by=None if vouched is None else vouched.channel,
        revoked_by=known.revoked_by,
        authorizers=None,
        journey=Journey(),
        payment_outcome=None,
        payment_date_time=None,
        **terms,
    )
    return replace(
        found,
        consent=consent,
        decision=_decision(known),
        at=known_at,
        next_ask_at=None,
        known=Known(
            at=known_at,
            sequence=known.entries[-1].sequence,
            beside=(_BESIDE if known.is_complete else _NOTHING) | (_NOTHING if vouched is None else _CONFIRMED),
            untold=_NEVER_TOLD
            | untold
            | (_NOTHING if known.is_complete else _BESIDE)
            | (_CONFIRMED if vouched is None else _NOTHING),
        ),
    )


def _decision(known: Replayed) -> Decision:
    return Decision(
        status=known.status,
        since=known.since,
        expiration_date_time=known.expiration_date_time,
        contradictions=frozenset(Contradiction(code) for code in known.reasons if known.in_doubt),
        end_hinted=known.in_doubt and not known.reasons,
    )


def _as_of(seen: ConsentView, known: Replayed, instant: datetime, late: Mapping[int, Status]) -> ConsentView:
    """The same knowledge of another instant: by the holder's times as the entries tell them."""
    decision, on_what = seen.decision, seen.known
    if instant < seen.at:  # of a later one nothing else is known than of its own, but that time goes on
        word = holders_word_at(known.entries, instant, late)
        decision = replace(
            decision,
            status=Status.NOT_STAGED if word is None else word.status,
            since=None if word is None else word.since,
        )
        if on_what is not None and word is not None and word.entry.sequence in late:
            on_what = replace(on_what, beside=on_what.beside | _OF_A_REPORT)
    overlay = overlay_at(seen.consent.overlay, known.entries, min(instant, seen.at))
    return replace(seen, consent=changed(seen.consent, overlay=overlay), decision=decision, at=instant, known=on_what)


def _terms(found: ConsentView, entries: Iterable[Entry]) -> tuple[dict[str, Any], AbstractSet[str]]:
    """What the entries' private values told of the terms by then, and names of what they do not tell, or not any more."""
    told = [entry.private["terms"] for entry in entries if entry.private is not None and "terms" in entry.private]
    if told and told[-1] == found.consent.terms:
        return {}, frozenset()  # and so is all that was read from them
    unread = {"permissions": (), "creation_date_time": None, "authorization_expiration_date_time": None}
    return ({"terms": told[-1]} | unread, _READ_FROM_TERMS) if told else ({"terms": None} | unread, _OF_TERMS)
