"""Providers, and what is asked of the world to hear and understand them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from tracker.domain.allowance import Limits
from tracker.domain.consent import ConsentId, ProviderId
from tracker.ports.evidence import UNNOTED, KeyOrigin, Verification
from tracker.profiles.compact import Compact
from tracker.profiles.profile import Kind, Profile, Push


@dataclass(frozen=True, eq=False, kw_only=True)
class Provider:
    """One data holder as we see it; (issuer, client_id) is unique.

    Attributes:
        id: Our name for it.
        profile: The rules of its ecosystem.
        client_id: Which of our applications speaks to it.
        issuer: What its tokens say in `iss`, to the letter.
        resource_url: Where its consents are.
        api_version: Which version of the API it serves.
        requests_per_second: How often it may be asked.
        daily_requests: How often in a day, in UTC; 0: no limit.
    """

    id: ProviderId
    profile: Profile
    client_id: str
    issuer: str
    resource_url: str
    api_version: str
    requests_per_second: float
    daily_requests: int = 0

    @property
    def limits(self) -> Limits:
        """How often it may be asked."""
        return Limits(per_second=self.requests_per_second, per_day=self.daily_requests)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A signed token of a holder, and the key that verified it.

    Attributes:
        jws: The compact token as received.
        kid: The key id that it names.
        jwk: The public key that verified it, as a JWK.
        jwk_thumbprint: Its RFC 7638 SHA-256 thumbprint, base64url.
        jwks_uri: Where the key came from.
        origin: What vouched for the key there.
        verification: How it was verified.
    """

    jws: bytes
    kid: str
    jwk: Mapping[str, Any]
    jwk_thumbprint: str
    jwks_uri: str
    origin: KeyOrigin = UNNOTED
    verification: Verification | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a holder said about one consent.

    Attributes:
        body: The answer, envelope taken off.
        token: The signed token that it came in; None if it was not signed.
    """

    body: Mapping[str, Any]
    token: Token | None


class HolderApi(Protocol):
    """The holders' consent endpoints."""

    async def read_consent(self, provider: Provider, kind: Kind, consent_id: ConsentId, interaction_id: str) -> Answer:
        """Ask about one consent.

        Raises:
            ConsentNotStagedError: The holder does not know it (400 or 404).
            ConsentApiRefusedError: Our credentials or scope were refused, also with a fresh token.
            ConsentApiUnavailableError: No answer now.
            ConsentApiContractError: An answer outside the standard.
        """

    async def revoke_consent(
        self, provider: Provider, kind: Kind, consent_id: ConsentId, revoked_by: str, interaction_id: str
    ) -> None:
        """Ask for a consent to be revoked, once. Whether it is, only `read_consent` says.

        Raises:
            RevocationRefusedError: The holder will not, or not in this form.
            ConsentNotStagedError: The holder does not know it (404).
            ConsentApiRefusedError: Our credentials or scope were refused, also with a fresh token: nothing was done.
            ConsentApiUnavailableError: No answer now; it may have been done all the same.
            ConsentApiContractError: An answer outside the standard.
        """


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class VerificationKey:
    """A public key of a holder.

    Attributes:
        kid: Its id.
        key: What the JOSE adapter verifies with.
        jwk: The same as a JWK.
        jwk_thumbprint: RFC 7638 SHA-256 thumbprint, base64url.
        jwks_uri: Where it came from.
        origin: What vouches for it there.
    """

    kid: str
    key: Any
    jwk: Mapping[str, Any]
    jwk_thumbprint: str
    jwks_uri: str
    origin: KeyOrigin = UNNOTED

    def verified(self, jws: bytes, verification: Verification) -> Token:
        """The token that it verified, with all that is kept of the two."""
        return Token(
            jws=jws,
            kid=self.kid,
            jwk=self.jwk,
            jwk_thumbprint=self.jwk_thumbprint,
            jwks_uri=self.jwks_uri,
            origin=self.origin,
            verification=verification,
        )


class HolderKeys(Protocol):
    """The holders' signing keys, kept in memory."""

    def find(self, provider: Provider, kid: str, received_at: datetime | None = None) -> VerificationKey | None:
        """Look a key up among those fetched already. Fast, callable from any thread.

        What a token is worth must not depend on how long it waited here: with the instant at which we had it, a key is
        found too that the holder withdrew only later.
        """

    def at_hand(self, provider: Provider) -> tuple[str, ...]:
        """The ids of all keys fetched already, in order; nothing is looked for. Callable from any thread."""

    async def refresh(self, provider: Provider) -> None:
        """Fetch the keys if they are stale or a key was missing; many callers share one request.

        An unknown key id makes it ask again at most once per 30 s.

        Raises:
            KeysUnavailableError: They cannot be had now. What was fetched before stays usable for a day.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Decrypted:
    """What was inside an encrypted event.

    Attributes:
        client_id: Whose key opened it.
        kid: Which key.
        plaintext: The inner token, not trusted yet.
    """

    client_id: str
    kid: str
    plaintext: bytes


class EventCrypto(Protocol):
    """Opening events. Synchronous, CPU-bound, callable from any thread."""

    def knows_key(self, kid: str) -> bool:
        """Whether a key id is one of our encryption keys, retired ones too."""

    def decrypt(self, token: bytes, push: Push) -> Decrypted:
        """Decrypt a compact JWE with the key that its header names.

        Raises:
            UndecryptableEventError: It cannot be opened.
            MalformedEventError: It is not of the form.
        """

    def verify(self, token: bytes, key: VerificationKey, algorithms: Collection[str]) -> Mapping[str, Any]:
        """Verify a compact JWS and give its claims.

        Raises:
            UntrustedEventError: The signature is not by this key.
            MalformedEventError: What is signed is no JSON object.
        """

    def check_signature(self, signed: Compact, key: VerificationKey, algorithms: Collection[str]) -> None:
        """Verify a compact JWS whose claims have been read already, of the same bytes.

        Raises:
            UntrustedEventError: The signature is not by this key.
        """
