"""What is kept with a holder's signed token, and what is read for an evidence pack."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from tracker.domain.completion import Work
from tracker.domain.consent import ProviderId, TrackingId


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOrigin:
    """What vouches for a holder's key, besides the URL that it came from.

    Attributes:
        fetched_at: When the set with it was fetched; None: that was not noted.
        x5c: The certificates that the set gave with it, as there: base64 of DER, the key's own first (RFC 7517 §4.7).
        tls_chain: Hex SHA-256 of each certificate (DER) that the server showed, its own first; empty without TLS. The whole
            chain where the Python version tells it, else its first certificate alone.
    """

    fetched_at: datetime | None = None
    x5c: tuple[str, ...] = ()
    tls_chain: tuple[str, ...] = ()


UNNOTED = KeyOrigin()
"""Nothing was noted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """How a token was verified when we had it.

    Attributes:
        at: The instant as of which `exp` and `nbf` were looked at: that of receipt.
        alg: The algorithm of its signature.
        issuer: What it says in `iss`.
        audience: What it says in `aud`.
        checks: What was checked and held: `signature`, `iss`, `aud`, `exp`, `nbf`.
    """

    at: datetime
    alg: str
    issuer: str
    audience: tuple[str, ...]
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptKey:
    """A holder's key as it is kept.

    Attributes:
        kid: Its id.
        jwk_thumbprint: RFC 7638 SHA-256 thumbprint, base64url.
        jwk: The public key.
        jwks_uri: Where it came from.
        first_seen_at: When the first token came that it verified.
        origin: What vouched for it when that token came.
    """

    kid: str
    jwk_thumbprint: str
    jwk: Mapping[str, Any]
    jwks_uri: str
    first_seen_at: datetime
    origin: KeyOrigin


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptToken:
    """A holder's signed token as it is kept.

    Attributes:
        jws_sha256: Hex SHA-256 of the token: its name.
        jwe_sha256: Of what it came encrypted in; None for answers to polls.
        jws: The compact token as received.
        kid: The key that it names.
        jwk_thumbprint: Of the key that verified it.
        received_at: When we had it.
        key_fetched_at: When the set was fetched from which that key was taken; None: that was not noted.
        verification: What came of verifying it; None: that was not noted, by a version that did not yet.
    """

    jws_sha256: str
    jwe_sha256: str | None
    jws: bytes
    kid: str
    jwk_thumbprint: str
    received_at: datetime
    key_fetched_at: datetime | None
    verification: Verification | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Untold:
    """An entry that a subscriber was not told, although its place in the journal is behind it.

    Attributes:
        subscription_id: Who.
        sequence: Which entry.
        attempts: How often it was refused.
        given_up_at: When it was given up; None: it waits for another try.
    """

    subscription_id: str
    sequence: int
    attempts: int
    given_up_at: datetime | None


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What came of telling some entries.

    Attributes:
        untold: What failed.
        work: What subscribers had to do because of them.
    """

    untold: list[Untold]
    work: list[Work]


class EvidenceBook(Protocol):
    """What evidence packs are made of, besides the journal. Every method raises `StorageError` when the database is away."""

    async def tokens(self, digests: Collection[str]) -> list[KeptToken]:
        """Read tokens by their SHA-256, in the order of receipt; those that are not kept any more are left out."""

    async def keys(self, provider: ProviderId, thumbprints: Collection[str]) -> list[KeptKey]:
        """Read a provider's keys, in order of their thumbprints."""

    async def aftermath(self, sequences: Collection[int]) -> Aftermath:
        """Read what came of telling these entries; all of one consent, in sequence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look into a consent, as the access record has it.

    Attributes:
        at: When.
        who: The API key or the person, as the record names them.
        what: What was done: `read`, `timeline`, `export`, …
    """

    at: datetime
    who: str
    what: str


class LookRecord(Protocol):
    """Who in the back office looked at a consent."""

    async def looks_at(self, tracking_id: TrackingId) -> list[Look]:
        """All looks at one consent that are on record, the first first."""
