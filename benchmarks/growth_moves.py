"""What a move and a question cost in time, in disk and in write-ahead log: `benchmarks.growth` makes some at its end."""

import base64
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from benchmarks.ingest import quantile
from tests.contract.facts import IDS, a_decision, a_report, an_evidence, an_item, draft_about, stored
from tests.journal.drafts import a_token
from tests.thin_consents import PROVIDERS, ThinConsents
from tracker.adapters.store.store import SqlStore
from tracker.domain.consent import Channel, ConsentId, ProviderId, Status
from tracker.domain.decision import Decision
from tracker.domain.standing import Summary
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Evidence as InEntry
from tracker.ports import Confirmation, InboxItem, Token, Transaction

_BATCH = 50
_TERMS_BYTES = 2500
_BODY_BYTES = 5500
_RUN = IDS.ordered()  # another run on the same database makes other moves


@dataclass(frozen=True, slots=True)
class Meters:
    """What is read before and after.

    Attributes:
        bytes: How large each table is.
        log_bytes: How much log the server has written up to now.
        server_seconds: The CPU that the server has spent on our connection.
    """

    bytes: Callable[[], dict[str, int]]
    log_bytes: Callable[[], int]
    server_seconds: Callable[[], float]

    def begin(self) -> Callable[[int, list[float]], dict[str, Any]]:
        """Read them; gives what reads them again, and tells what each of so many deeds took."""
        bytes_before, log_before = self.bytes(), self.log_bytes()
        ours_before, server_before = time.process_time(), self.server_seconds()

        def end(deeds: int, took_ms: list[float]) -> dict[str, Any]:
            ours, server = time.process_time() - ours_before, self.server_seconds() - server_before
            grown = {name: round((size - bytes_before.get(name, 0)) / deeds) for name, size in self.bytes().items()}
            return {
                "deeds": deeds,
                "recording_ms_p50": round(quantile(sorted(took_ms), 0.5), 2),
                "recording_ms_p99": round(quantile(sorted(took_ms), 0.99), 2),
                "our_cpu_us": round(ours / deeds * 1e6),
                "server_cpu_us": round(server / deeds * 1e6),
                "bytes_each": {name: size for name, size in grown.items() if size},
                "log_bytes_each": round((self.log_bytes() - log_before) / deeds),
            }

        return end


async def move(store: SqlStore, thin: ThinConsents, moves: int, meters: Meters) -> dict[str, Any]:
    """Move consents, each once, as an event does: into the inbox, out of it, report, evidence, state and entry."""
    await store.head()  # so that there is a connection
    end, took = meters.begin(), []
    for first in range(0, moves, _BATCH):
        numbers = range(first, min(first + _BATCH, moves))
        items = [an_item(received_at=thin.now, body=Random(n).randbytes(_BODY_BYTES)) for n in numbers]
        for item in items:
            await store.admit(item)
        begin = time.perf_counter()
        await store.transact(lambda t, numbers=numbers, items=items: _record(t, thin, numbers, items))
        took.append((time.perf_counter() - begin) * 1e3)
    return end(moves, took)


async def ask(store: SqlStore, thin: ThinConsents, asks: int, meters: Meters) -> dict[str, Any]:
    """Ask about what is due, and hear what we know already: claimed together, each answer recorded alone."""
    await store.head()
    end, took, now = meters.begin(), [], thin.now + timedelta(days=1)
    while len(took) < asks:
        claimed = await store.transact(lambda t: _claim(t, now))
        if not claimed:
            break
        for consent in claimed:
            begin = time.perf_counter()
            await store.transact(lambda t, consent=consent: _confirm(t, consent, now))
            took.append((time.perf_counter() - begin) * 1e3)
    return end(len(took), took)


def _claim(transaction: Transaction, now: datetime) -> list[TrackedConsent]:
    due = transaction.lock_due_asks(ProviderId(PROVIDERS[0]), now, _BATCH)
    for consent in due:
        leased = replace(consent, asking=replace(consent.asking, asked_at=now, leased_until=now + timedelta(minutes=1)))
        transaction.save(leased, _as_it_is(consent, now), next_ask_at=now + timedelta(minutes=1), next_tick_at=None)
    return due


def _confirm(transaction: Transaction, consent: TrackedConsent, now: datetime) -> None:
    held = transaction.lock_tracked([consent.tracking_id])[consent.tracking_id]
    transaction.known_claims([consent.tracking_id])
    told = replace(held, confirmed_at=now, confirmed_by=Channel.POLL, asking=replace(held.asking, leased_until=None))
    transaction.save(told, _as_it_is(held, now), next_ask_at=now + timedelta(hours=5.5), next_tick_at=None)
    transaction.add_confirmation(
        Confirmation(
            tracking_id=consent.tracking_id,
            vouched_at=now,
            recorded_at=now,
            channel=Channel.POLL,
            status=Status.AUTHORIZED,
        )
    )


def _as_it_is(consent: TrackedConsent, now: datetime) -> Decision:
    return a_decision(consent.told.status, expiry=now + timedelta(days=90))


def _record(transaction: Transaction, thin: ThinConsents, numbers: range, items: list[InboxItem]) -> None:
    names = {(ProviderId(thin.provider(n)), ConsentId(thin.consent_id(n))): n for n in numbers}
    held = transaction.lock_named(names)
    transaction.known_digests([_digest(n) for n in numbers])
    transaction.known_claims([consent.tracking_id for consent in held.values()])
    drafts = []
    for name, number in names.items():
        consent = held[name]
        now = thin.now + timedelta(seconds=number)
        report = a_report(0, Status.REVOKED, digest=_digest(number), received_at=now, recorded_at=now)
        evidence = replace(an_evidence(number), provider=name[0], token=_token(number))
        terms = _terms(number)
        changed = _changed(consent, Summary(asks=1, standing=(*consent.summary.standing, report)), terms, now)
        transaction.save(changed, a_decision(Status.REVOKED), next_ask_at=now + timedelta(days=1), next_tick_at=None)
        transaction.add_report(
            stored(
                report,
                changed,
                terms=terms,
                permissions=changed.permissions,
                jws_sha256=evidence.jws_sha256,
                jwe_sha256=evidence.jwe_sha256,
                kid="hub-key-1",
                jwk_thumbprint=evidence.token.jwk_thumbprint,
                event_type="Resource.Updated",
                event_date_time=now,
            ),
            evidence,
        )
        proof: InEntry = a_token(number)
        drafts.append(draft_about(changed, id=IDS.ordered(), evidence=(proof,)))
    transaction.take_from_inbox([item.id for item in items])
    transaction.append(drafts, thin.now)


def _changed(consent: TrackedConsent, summary: Summary, terms: dict[str, Any], now: datetime) -> TrackedConsent:
    return replace(consent, summary=summary, terms=terms, version=consent.version + 1, updated_at=now, learned_at=now)


def _digest(number: int) -> str:
    return hashlib.sha256(f"{_RUN} {number}".encode()).hexdigest()


def _terms(number: int) -> dict[str, Any]:
    """As holders write them: members of some length, half of it the same in all."""
    chance = Random(number)
    members: dict[str, Any] = {"Permissions": [f"ReadSomethingOfKind{n}" for n in range(30)]}
    while len(str(members)) < _TERMS_BYTES:
        members[f"Member{len(members)}"] = f"{chance.getrandbits(160):040x}"
    return members


def _token(number: int) -> Token:
    payload = base64.urlsafe_b64encode(str(_terms(number)).encode()).rstrip(b"=")
    signature = base64.urlsafe_b64encode(Random(number).randbytes(256)).rstrip(b"=")
    return replace(
        an_evidence().token, jws=b"eyJhbGciOiJQUzI1NiIsImtpZCI6Imh1Yi1rZXktMSJ9." + payload + b"." + signature
    )
