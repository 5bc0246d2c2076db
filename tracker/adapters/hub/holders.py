"""All configured holders, as the use cases ask for them: `ports.HolderApi` and `ports.HolderKeys`."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from tracker.adapters.hub.answers import AnswerReader
from tracker.adapters.hub.consents import ConsentEndpoint
from tracker.adapters.hub.discovery import Discovery
from tracker.adapters.hub.jwks import HolderKeySet
from tracker.adapters.hub.session import HolderSession
from tracker.adapters.hub.tokens import AccessTokens, Client
from tracker.adapters.hub.urls import require_secure
from tracker.adapters.jose import SigningKey
from tracker.adapters.tls import ContextSource
from tracker.domain.consent import ConsentId, ProviderId
from tracker.domain.errors import ConsentApiUnavailableError, ProviderNotFoundError
from tracker.ports import Answer, Clock, EventCrypto, HolderTally, Ids, Provider, VerificationKey
from tracker.profiles.profile import Kind, RevokeCall

TIMEOUT_SECONDS: Final = 10.0
"""For one question from beginning to end, tokens and keys included; and for each request by itself."""

BeforeRepeat = Callable[[Provider], Awaitable[None]]


@dataclass(frozen=True, eq=False, kw_only=True)
class HolderConnection:
    """What it takes to speak to one provider.

    Attributes:
        provider: The provider.
        signing_key: What our application signs its assertions with.
        contexts: Our transport certificate and whom to trust; None: no certificate, the machine's trust.
    """

    provider: Provider
    signing_key: SigningKey = field(repr=False)
    contexts: ContextSource | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderDescription:
    """What a holder publishes, as found just now.

    Attributes:
        issuer: As its discovery document names it.
        token_endpoint: Where tokens are.
        jwks_uri: Where its keys are.
        key_ids: Those that we could verify with, sorted.
    """

    issuer: str
    token_endpoint: str
    jwks_uri: str
    key_ids: tuple[str, ...]


class _Issuer:
    """What providers with the same issuer share."""

    def __init__(self, issuer: str, session: HolderSession, clock: Clock) -> None:
        self.discovery = Discovery(issuer, session, clock)
        self.keys = HolderKeySet(self.discovery, session, clock)

    async def close(self) -> None:
        await self.keys.close()
        await self.discovery.close()


class _Holder:
    """One provider: its tokens and its consents."""

    def __init__(
        self,
        connection: HolderConnection,
        session: HolderSession,
        issuer: _Issuer,
        clock: Clock,
        ids: Ids,
        crypto: EventCrypto,
        before_repeat: BeforeRepeat | None,
    ) -> None:
        provider = connection.provider
        self.issuer = issuer
        self._session = session
        self._client = Client(client_id=provider.client_id, signing_key=connection.signing_key)
        self._clock = clock
        self._ids = ids
        self._tokens: dict[str, AccessTokens] = {}
        answers = AnswerReader(provider, issuer.keys, crypto, clock)
        self.consents = ConsentEndpoint(provider, session, answers, clock, before_repeat)

    def tokens(self, scope: str) -> AccessTokens:
        """Its tokens for a scope."""
        if scope not in self._tokens:
            self._tokens[scope] = AccessTokens(
                self._client, scope, self.issuer.discovery, self._session, self._clock, self._ids
            )
        return self._tokens[scope]

    async def revoke(self, kind: Kind, consent_id: ConsentId, call: RevokeCall, interaction_id: str) -> None:
        """Have a consent revoked."""
        key = self._client.signing_key
        await self.consents.revoke(kind, consent_id, call, self.tokens(kind.scope), interaction_id, key)

    @property
    def tally(self) -> HolderTally:
        """What was fetched of it; providers with the same issuer share its keys."""
        keys_fetched, keys_failed, keys_age_seconds = self.issuer.keys.tally
        return HolderTally(
            tokens_fetched=sum(tokens.fetched for tokens in self._tokens.values()),
            tokens_failed=sum(tokens.failed for tokens in self._tokens.values()),
            keys_fetched=keys_fetched,
            keys_failed=keys_failed,
            keys_age_seconds=keys_age_seconds,
        )

    def sign_with(self, key: SigningKey) -> None:
        """Ask for tokens with another key from now on."""
        self._client = Client(client_id=self._client.client_id, signing_key=key)
        for tokens in self._tokens.values():
            tokens.sign_with(self._client)

    async def close(self) -> None:
        for tokens in self._tokens.values():
            await tokens.close()


class Holders:
    """The holders' consent endpoints and signing keys. Belongs to one event loop, but for `find`."""

    def __init__(
        self,
        connections: Sequence[HolderConnection],
        clock: Clock,
        ids: Ids,
        crypto: EventCrypto,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        before_repeat: BeforeRepeat | None = None,
    ) -> None:
        """Prepare to ask; nothing is sent before the first question.

        Args:
            connections: To whom.
            clock: Our clock.
            ids: Fresh ids.
            crypto: Opens signed answers.
            timeout_seconds: For one question from beginning to end.
            before_repeat: Awaited before a question is sent once more, with a fresh token: that is one more request. It may
                raise what asking raises.

        Raises:
            ConfigurationError: An address of a provider may not be asked.
        """
        self._timeout_seconds = timeout_seconds
        self._ids = ids
        self._sessions: list[HolderSession] = []
        self._issuers: dict[str, _Issuer] = {}
        self._holders: dict[ProviderId, _Holder] = {}
        for connection in connections:
            provider = connection.provider
            require_secure(provider)
            session = HolderSession(connection.contexts, timeout_seconds=timeout_seconds)
            self._sessions.append(session)
            if provider.issuer not in self._issuers:
                self._issuers[provider.issuer] = _Issuer(provider.issuer, session, clock)
            issuer = self._issuers[provider.issuer]
            self._holders[provider.id] = _Holder(connection, session, issuer, clock, ids, crypto, before_repeat)

    async def read_consent(self, provider: Provider, kind: Kind, consent_id: ConsentId, interaction_id: str) -> Answer:
        """Ask about one consent, within 10 s.

        Raises:
            ConsentNotStagedError: The holder does not know it (400 or 404).
            ConsentApiRefusedError: Our credentials or scope were refused, also with a fresh token.
            ConsentApiUnavailableError: No answer now, or none whose key can be had now.
            ConsentApiContractError: An answer outside the standard.
            InvalidRequestError: This is no consent id.
            ProviderNotFoundError: The provider is not among those configured.
        """
        holder = self._holder(provider)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await holder.consents.read(kind, consent_id, holder.tokens(kind.scope), interaction_id)
        except TimeoutError as error:
            raise ConsentApiUnavailableError(f"{provider.id} did not answer in time.") from error

    async def revoke_consent(
        self, provider: Provider, kind: Kind, consent_id: ConsentId, revoked_by: str, interaction_id: str
    ) -> None:
        """Ask for a consent to be revoked, within 10 s.

        Raises:
            RevocationRefusedError: The holder will not, or not in this form.
            ConsentNotStagedError: The holder does not know it (404).
            ConsentApiRefusedError: Our credentials or scope were refused, also with a fresh token: nothing was done.
            ConsentApiUnavailableError: No answer now; it may have been done all the same.
            ConsentApiContractError: An answer outside the standard.
            InvalidRequestError: This is no consent id.
            ProviderNotFoundError: The provider is not among those configured.
        """
        holder = self._holder(provider)
        call = provider.profile.revoke_call(kind.name, revoked_by)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await holder.revoke(kind, consent_id, call, interaction_id)
        except TimeoutError as error:
            raise ConsentApiUnavailableError(f"{provider.id} did not answer in time.") from error

    def sign_with(self, keys: Mapping[ProviderId, SigningKey]) -> None:
        """Sign with other keys from now on; what is under way ends as it began."""
        for provider_id, key in keys.items():
            self._holders[provider_id].sign_with(key)

    def find(self, provider: Provider, kid: str, received_at: datetime | None = None) -> VerificationKey | None:
        """Look a key up among those fetched already. Fast, callable from any thread.

        None also while the keys are stale and have not been asked for again: `refresh`, then look once more.

        Args:
            provider: Whose.
            kid: Its id.
            received_at: When we had the token that names it: a key that was withdrawn since counts too.

        Raises:
            ProviderNotFoundError: The provider is not among those configured.
        """
        return self._holder(provider).issuer.keys.find(kid, received_at)

    def at_hand(self, provider: Provider) -> tuple[str, ...]:
        """The ids of the keys that may verify now, in order. Callable from any thread.

        Raises:
            ProviderNotFoundError: The provider is not among those configured.
        """
        return self._holder(provider).issuer.keys.at_hand()

    async def refresh(self, provider: Provider) -> None:
        """Fetch the keys if they are stale or a key was missing; many callers share one request.

        Raises:
            KeysUnavailableError: They cannot be had now, and the old ones, which serve for a day, do not have the key that
                was missing.
            ProviderNotFoundError: The provider is not among those configured.
        """
        await self._holder(provider).issuer.keys.refresh()

    async def describe(self, provider: Provider) -> HolderDescription:
        """Fetch what the holder publishes, whatever is known already.

        Raises:
            ConsentApiUnavailableError: The discovery document cannot be had.
            ConsentApiContractError: It is not this issuer's, or sends us where we do not go.
            KeysUnavailableError: The keys cannot be had, or there are none that we could verify with.
            ProviderNotFoundError: The provider is not among those configured.
        """
        issuer = self._holder(provider).issuer
        metadata = await issuer.discovery.renew()
        key_set = await issuer.keys.renew()
        return HolderDescription(
            issuer=metadata.issuer,
            token_endpoint=str(metadata.token_endpoint),
            jwks_uri=str(metadata.jwks_uri),
            key_ids=tuple(sorted(key_set.keys)),
        )

    async def try_scope(self, provider: Provider, scope: str) -> None:
        """Fetch a token for a scope, to see whether the holder knows us and allows it.

        Raises:
            ConsentApiRefusedError: It does not accept our client, its key or the scope.
            ConsentApiUnavailableError: There is no answer now.
            ConsentApiContractError: An answer outside the standard.
            ProviderNotFoundError: The provider is not among those configured.
        """
        await self._holder(provider).tokens(scope).get()

    async def try_address(self, provider: Provider, kind: Kind) -> tuple[str, int]:
        """Ask about a consent that there is not, and without a token, to see whether there are consents where we ask.

        Returns:
            Where that is, and the status of the answer: 404 if there is nothing, another if we were refused.

        Raises:
            ConsentApiUnavailableError: There is no answer.
            ProviderNotFoundError: The provider is not among those configured.
        """
        consent_id, interaction_id = ConsentId(self._ids.random()), self._ids.random()
        return await self._holder(provider).consents.try_address(kind, consent_id, interaction_id)

    def tallies(self) -> dict[str, HolderTally]:
        """What was fetched of each provider since the start."""
        return {str(provider_id): holder.tally for provider_id, holder in self._holders.items()}

    async def close(self) -> None:
        """Stop what nobody waits for any more, and close all connections. Call it when no question is open."""
        for holder in self._holders.values():
            await holder.close()
        for issuer in self._issuers.values():
            await issuer.close()
        for session in self._sessions:
            await session.close()

    def _holder(self, provider: Provider) -> _Holder:
        try:
            return self._holders[provider.id]
        except KeyError as error:
            raise ProviderNotFoundError(f"No provider {provider.id} is configured.") from error
