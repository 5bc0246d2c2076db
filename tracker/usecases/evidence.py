"""Put one consent's story together as one file that proves itself: see `journal.pack`.

What is read is read piece by piece, without holding a snapshot. It fits together all the same: the tree's size is read first, and
entries up to there never change; what is not in the tree (deliveries, reports of work, looks) is told as it stands meanwhile.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from tracker.domain.consent import ConsentId, ProviderId, TrackingId, is_consent_id
from tracker.domain.errors import ConsentNotFoundError, InvalidRequestError
from tracker.journal.checkpoint import Checkpoint
from tracker.journal.entry import Entry
from tracker.journal.instant import rfc3339
from tracker.journal.pack import LEFT_OUT, MAX_PACK_BYTES, pack_bytes
from tracker.journal.pack_terms import terms_as_granted
from tracker.ports import Access, Clock, EvidenceBook, KeptToken, Store, StoredReport
from tracker.ports.retention import RetentionStore
from tracker.usecases import pack_parts
from tracker.usecases.checkpoints import Checkpointing
from tracker.usecases.proofs import Proofs
from tracker.usecases.providers import Providers

_LOOKS_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose story a pack tells.

    Attributes:
        tracking_id: Our key.
        provider: Whose consent.
        consent_id: What the world calls it.
        kind: What kind of consent.
        profile: The ecosystem; empty if the consent was disposed of and its provider is not configured any more.
        client_id: Our application there; likewise.
        is_gone: It was disposed of: its entries are left, and nothing that they rest on.
    """

    tracking_id: TrackingId
    provider: ProviderId
    consent_id: ConsentId
    kind: str
    profile: str
    client_id: str
    is_gone: bool = False


class EvidencePacks:
    """Makes evidence packs."""

    def __init__(
        self,
        store: Store,
        book: EvidenceBook,
        proofs: Proofs,
        checkpoints: Checkpointing,
        providers: Providers,
        clock: Clock,
        graves: RetentionStore | None = None,
    ) -> None:
        self._store = store
        self._book = book
        self._proofs = proofs
        self._providers = providers
        self._clock = clock
        self._graves = graves
        self._checkpoints = checkpoints

    async def pack(
        self, provider: str, consent_id: str, *, with_private: bool = True, since: Checkpoint | None = None
    ) -> bytes:
        """Make the pack of one consent, over all entries that there are now.

        Of one that was disposed of it proves that: its entries are there, and what they rested on is not.

        Args:
            provider: Whose consent.
            consent_id: What the world calls it.
            with_private: Whether it holds private values, the terms, and the tokens, which say the same.
            since: A checkpoint that was published earlier: the pack proves that the journal has only grown out of it.

        Returns:
            The file.

        Raises:
            ConsentNotFoundError: It is not tracked.
            InvalidRequestError: The checkpoint is of another journal, or of another history than this one has; or the pack would
                be larger than those that are verified.
            JournalForkedError: The journal does not begin with what was signed of it before.
            StorageError: The database is away.
        """
        consent = await self.subject(provider, consent_id)
        checkpoint = await self._checkpoints.at_head()
        size = await self._proofs.extend() if checkpoint is None else checkpoint.size
        root = await self._proofs.root(size)
        consistency = [] if since is None else await self._grown(since, size)
        entries = [entry for entry in await self._store.entries_of(consent.tracking_id) if entry.sequence <= size]
        reports = [] if consent.is_gone else await self._store.reports_of(consent.tracking_id)
        tokens = await self._tokens(reports, entries) if with_private else []
        said: dict[str, Any] = {
            "journal_id": await self._store.journal_id(),
            "origin": self._checkpoints.origin,
            "made_at": rfc3339(self._clock.now()),
            "left_out": [] if with_private else list(LEFT_OUT),
            "consent": self._identity(consent, tokens),
            "tree": {
                "size": size,
                "root_hash": root.hex(),
                "checkpoint": None if checkpoint is None else checkpoint.note,
                "consistency": consistency,
            },
            "entries": await self._with_proofs(entries, size, with_private=with_private),
            "tokens": [pack_parts.token_part(token) for token in tokens],
            "unsigned_answers": pack_parts.unsigned_parts(reports),
            "keys": await self._keys(consent, tokens),
            "terms": terms_as_granted(entries) if with_private else None,
            "told": await self._told(entries),
            "access": await self._looks(consent),
        }
        made = await asyncio.to_thread(pack_bytes, said, self._checkpoints.signed)
        if len(made) > MAX_PACK_BYTES:
            raise InvalidRequestError(
                f"The pack would have {len(made)} bytes, and {MAX_PACK_BYTES} are verified at most; leave private values out."
            )
        return made

    async def subject(self, provider: str, consent_id: str) -> Subject:
        """Say of which consent a pack would be.

        Raises:
            ConsentNotFoundError: It is not tracked, and never was.
            StorageError: The database is away.
        """
        name = ProviderId(provider), ConsentId(consent_id)
        consent = await self._store.find_consent(name) if is_consent_id(consent_id) else None
        if consent is not None:
            return Subject(
                tracking_id=consent.tracking_id,
                provider=consent.provider,
                consent_id=consent.consent_id,
                kind=consent.kind,
                profile=consent.profile,
                client_id=consent.client_id,
            )
        grave = await self._graves.tombstone(name) if self._graves is not None and is_consent_id(consent_id) else None
        if grave is None:
            raise ConsentNotFoundError
        configured = self._providers.get(provider)
        return Subject(
            tracking_id=grave.tracking_id,
            provider=grave.provider,
            consent_id=grave.consent_id,
            kind=grave.kind,
            profile="" if configured is None else configured.profile.name,
            client_id="" if configured is None else configured.client_id,
            is_gone=True,
        )

    async def _grown(self, since: Checkpoint, size: int) -> list[dict[str, Any]]:
        origin = self._checkpoints.origin
        if since.origin != origin:
            raise InvalidRequestError(f"The checkpoint is of {since.origin!a}, and this journal is {origin!a}.")
        if since.size > size or since.root != await self._proofs.root(since.size):
            raise InvalidRequestError("The checkpoint is of a history that this journal does not have.")
        if since.size in {0, size}:
            return []
        proof = await self._proofs.consistency(since.size, size)
        hashes = [node.hex() for node in proof]
        return [{"size": since.size, "root_hash": since.root.hex(), "proof": hashes}]

    def _identity(self, consent: Subject, tokens: list[KeptToken]) -> dict[str, Any]:
        configured = self._providers.get(consent.provider)
        verified = next((token.verification for token in reversed(tokens) if token.verification is not None), None)
        issuer = configured.issuer if configured is not None else verified.issuer if verified is not None else ""
        return {
            "tracking_id": consent.tracking_id,
            "provider": consent.provider,
            "consent_id": consent.consent_id,
            "kind": consent.kind,
            "profile": consent.profile,
            "issuer": issuer,
            "client_id": consent.client_id,
        }

    async def _tokens(self, reports: list[StoredReport], entries: list[Entry]) -> list[KeptToken]:
        """The tokens that entries rest on, and those of all other reports: an entry may tell what an earlier one said."""
        named = {
            proof["jws_sha256"]
            for entry in entries
            for proof in entry.data["evidence"]
            if proof["jws_sha256"] is not None
        }
        named |= {report.jws_sha256 for report in reports if report.jws_sha256 is not None}
        return await self._book.tokens(named)

    async def _keys(self, consent: Subject, tokens: list[KeptToken]) -> list[dict[str, Any]]:
        keys = await self._book.keys(consent.provider, {token.jwk_thumbprint for token in tokens})
        return [pack_parts.key_part(key) for key in keys]

    async def _with_proofs(self, entries: list[Entry], size: int, *, with_private: bool) -> list[dict[str, Any]]:
        proofs = await self._proofs.inclusions([entry.sequence for entry in entries], size)
        return [pack_parts.entry_part(entry, proofs[entry.sequence], with_private=with_private) for entry in entries]

    async def _told(self, entries: list[Entry]) -> list[dict[str, Any]]:
        subscriptions = await self._store.subscriptions()
        aftermath = await self._book.aftermath([entry.sequence for entry in entries])
        return pack_parts.told_parts(subscriptions, entries, aftermath)

    async def _looks(self, consent: Subject) -> list[dict[str, Any]]:
        looks: list[Access] = []
        after = None
        while page := await self._store.accesses_of(consent.tracking_id, _LOOKS_AT_ONCE, after):
            looks += page
            after = page[-1].at, page[-1].id
        return [{"at": rfc3339(look.at), "who": look.who, "what": look.what} for look in looks]
