"""Asking one provider about one consent, and having it revoked."""

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from yarl import URL

from tracker.adapters.hub.answers import AnswerReader
from tracker.adapters.hub.refusals import consent_refused, revocation_refused
from tracker.adapters.hub.session import HolderSession, Reply
from tracker.adapters.hub.tokens import AccessTokens
from tracker.adapters.hub.urls import consent_url
from tracker.adapters.hub.validity import validity
from tracker.adapters.jose import SigningKey, sign_ps256
from tracker.domain.consent import ConsentId
from tracker.ports import Answer, Clock, Provider
from tracker.profiles.profile import Kind, RevokeCall

MAX_ANSWER_BYTES: Final = 256 * 1024
"""A consent has some kilobytes. Answers are read in the event loop: a megabyte of empty objects would stop it for 0.3 s."""


class ConsentEndpoint:
    """One provider's consent resources."""

    def __init__(
        self,
        provider: Provider,
        session: HolderSession,
        answers: AnswerReader,
        clock: Clock,
        before_repeat: Callable[[Provider], Awaitable[None]] | None = None,
    ) -> None:
        self._provider = provider
        self._before_repeat = before_repeat
        self._session = session
        self._answers = answers
        self._clock = clock

    async def read(self, kind: Kind, consent_id: ConsentId, tokens: AccessTokens, interaction_id: str) -> Answer:
        """GET one consent.

        A 401 can mean that the token was withdrawn early, so one more is fetched and tried, if one more question may be sent.

        Raises:
            ConsentNotStagedError: 400 or 404.
            ConsentApiRefusedError: 401 twice, or 403.
            ConsentApiUnavailableError: 429, 5xx, no answer.
            ConsentApiContractError: Anything else outside the standard.
            InvalidRequestError: This is no consent id.
        """
        url = consent_url(self._provider, kind, consent_id)
        token = await tokens.get()
        reply = await self._get(url, kind, token.value, interaction_id)
        if reply.status == HTTPStatus.UNAUTHORIZED:
            tokens.invalidate(token)
            token = await tokens.get()
            if self._before_repeat is not None:
                await self._before_repeat(self._provider)
            reply = await self._get(url, kind, token.value, interaction_id)
        if reply.status != HTTPStatus.OK:
            raise consent_refused(reply, self._provider.profile, self._clock.now())
        return await self._answers.read(reply, kind)

    async def revoke(
        self,
        kind: Kind,
        consent_id: ConsentId,
        call: RevokeCall,
        tokens: AccessTokens,
        interaction_id: str,
        key: SigningKey,
    ) -> None:
        """Have one consent revoked.

        A 401 was not carried out, and may mean an old token: one more is fetched and tried, if one more request may be sent. Any
        other success than the standard's 204 is a success too: what came of it, the consent itself says.

        Raises:
            RevocationRefusedError: 400.
            ConsentNotStagedError: 404.
            ConsentApiRefusedError: 401 twice, or 403.
            ConsentApiUnavailableError: 429, 5xx, no answer: it may have been carried out.
            ConsentApiContractError: Anything else outside the standard.
            InvalidRequestError: This is no consent id.
        """
        url = consent_url(self._provider, kind, consent_id)
        token = await tokens.get()
        reply = await self._send(url, kind, call, token.value, interaction_id, key)
        if reply.status == HTTPStatus.UNAUTHORIZED:
            tokens.invalidate(token)
            token = await tokens.get()
            if self._before_repeat is not None:
                await self._before_repeat(self._provider)
            reply = await self._send(url, kind, call, token.value, interaction_id, key)
        if not HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
            raise revocation_refused(reply, self._provider.profile, self._clock.now())

    async def try_address(self, kind: Kind, consent_id: ConsentId, interaction_id: str) -> tuple[str, int]:
        """Ask without a token: where there are consents that is refused, and where there is nothing, nothing is found.

        Returns:
            What was asked, without the id; and the status of the answer.

        Raises:
            ConsentApiUnavailableError: No answer.
            InvalidRequestError: This is no consent id.
        """
        url = consent_url(self._provider, kind, consent_id)
        reply = await self._get(url, kind, None, interaction_id)
        return str(url.parent), reply.status

    async def _send(
        self, url: URL, kind: Kind, call: RevokeCall, token: str, interaction_id: str, key: SigningKey
    ) -> Reply:
        headers = {
            "Accept": kind.accept,
            "Content-Type": call.media_type,
            "x-fapi-interaction-id": interaction_id,
            "Authorization": f"Bearer {token}",
        }
        body = self._signed(call, key) if call.must_be_signed else json.dumps(call.content).encode()
        return await self._session.send(call.method, url, headers, body, max_bytes=MAX_ANSWER_BYTES)

    def _signed(self, call: RevokeCall, key: SigningKey) -> bytes:
        """Sign a request.

        Spec: UAE Open Finance v2.1, `AEJwt`: `iss`, `exp` and `nbf` are required, `aud` is a list. What they say is not
        spelt out: as in every token of ours, who we are, for whom it is, and a short life.
        """
        claims = {
            "iss": self._provider.client_id,
            "aud": [self._provider.issuer],
            **validity(self._clock.now()),
            **call.content,
        }
        return sign_ps256(claims, key, typ="JWT").encode()

    async def _get(self, url: URL, kind: Kind, token: str | None, interaction_id: str) -> Reply:
        headers = {"Accept": kind.accept, "x-fapi-interaction-id": interaction_id}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return await self._session.get(url, headers, max_bytes=MAX_ANSWER_BYTES)
