"""Asking one provider about one consent."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from yarl import URL

from tracker.adapters.hub.answers import AnswerReader
from tracker.adapters.hub.refusals import consent_refused
from tracker.adapters.hub.session import HolderSession, Reply
from tracker.adapters.hub.tokens import AccessTokens
from tracker.adapters.hub.urls import consent_url
from tracker.domain.consent import ConsentId
from tracker.ports import Answer, Clock, Provider
from tracker.profiles.profile import Kind

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

    async def _get(self, url: URL, kind: Kind, token: str | None, interaction_id: str) -> Reply:
        headers = {"Accept": kind.accept, "x-fapi-interaction-id": interaction_id}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return await self._session.get(url, headers, max_bytes=MAX_ANSWER_BYTES)
