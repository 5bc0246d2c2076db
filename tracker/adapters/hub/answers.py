"""Taking the envelope off a holder's answer about a consent, and checking it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from tracker.adapters.hub.jwks import HolderKeySet
from tracker.adapters.hub.session import Reply
from tracker.domain import strict_json
from tracker.domain.errors import (
    ConsentApiContractError,
    ConsentApiUnavailableError,
    KeysUnavailableError,
    RejectedEventError,
)
from tracker.ports import Answer, Clock, EventCrypto, Provider, Verification
from tracker.profiles import compact
from tracker.profiles.profile import Kind, UnreadableMessageError

_WITHOUT_KEYS_SECONDS: Final = 30.0

LEEWAY_SECONDS: Final = 60
"""How far the holder's clock may be from ours."""


class AnswerReader:
    """Reads answers of one provider, signed or not."""

    def __init__(self, provider: Provider, keys: HolderKeySet, crypto: EventCrypto, clock: Clock) -> None:
        self._provider = provider
        self._keys = keys
        self._crypto = crypto
        self._clock = clock

    async def read(self, reply: Reply, kind: Kind) -> Answer:
        """Read a 200.

        Raises:
            ConsentApiContractError: It is not of the form, or not to be believed.
            ConsentApiUnavailableError: The key that signed it cannot be had just now.
        """
        match reply.media_type:
            case "application/jwt":
                return await self._read_signed(reply.body.strip())
            case "application/json" if not kind.must_be_signed:
                return Answer(body=self._read_plain(reply.body), token=None)
            case "application/json":
                raise self._broken(f"is not signed, and {kind.name} consents are")
            case _:
                raise self._broken("is neither application/jwt nor application/json")

    async def _read_signed(self, jws: bytes) -> Answer:
        try:
            header = compact.protected_header(jws, compact.JWS_PARTS)
            key = await self._keys.find_published(header["kid"])
        except RejectedEventError as error:
            raise self._broken(f"is no signed token ({error.reason})") from error
        except KeysUnavailableError as error:
            # Other answers could not be verified either: the whole provider is left alone until its keys may be had.
            raise ConsentApiUnavailableError(
                f"An answer could not be verified: {error}", retry_after_seconds=_WITHOUT_KEYS_SECONDS
            ) from error
        if key is None:
            raise self._broken("is signed with a key that the holder does not publish")
        try:
            claims = self._crypto.verify(jws, key, self._provider.profile.push.jws_algs)
        except RejectedEventError as error:
            raise self._broken(f"cannot be verified ({error.reason})") from error
        now = self._clock.now()
        if (problem := claims_problem(claims, self._provider, now)) is not None:
            raise self._broken(problem)
        token = key.verified(jws, _verification(header["alg"], claims, now))
        try:
            return Answer(body=self._provider.profile.open_answer(claims), token=token)
        except UnreadableMessageError as error:
            raise self._broken(f"cannot be read ({error.reason})") from error

    def _read_plain(self, body: bytes) -> Mapping[str, Any]:
        try:
            value = strict_json.loads(body)
        except strict_json.NotStrictJsonError as error:
            raise self._broken("is not JSON") from error
        if not isinstance(value, dict):
            raise self._broken("is no JSON object")
        return value

    def _broken(self, problem: str) -> ConsentApiContractError:
        return ConsentApiContractError(f"The answer of {self._provider.id} {problem}.")


def claims_problem(claims: Mapping[str, Any], provider: Provider, now: datetime) -> str | None:
    """Say what keeps a verified answer's claims from being believed; None if nothing does.

    Spec: UAE Open Finance v2.1, the `application/jwt` schemas of the consent GETs: `iss`, `exp` and `nbf` are required,
    `aud` is optional.
    Conflict: holders are seen to leave `nbf` out, so that it is checked when it is there.
    """
    if claims.get("iss") != provider.issuer:
        return "has another issuer"
    expires, begins = _instant(claims.get("exp")), _instant(claims.get("nbf"))
    if expires is None or now.timestamp() > expires + LEEWAY_SECONDS:
        return "has lapsed or does not say when it does"
    if "nbf" in claims and (begins is None or now.timestamp() < begins - LEEWAY_SECONDS):
        return "is not valid yet"
    if "aud" in claims and not _is_for(claims["aud"], provider.client_id):
        return "is meant for another client"
    return None


def _verification(alg: str, claims: Mapping[str, Any], now: datetime) -> Verification:
    """What `claims_problem` found nothing wrong with."""
    audience = claims.get("aud", ())
    return Verification(
        at=now,
        alg=alg,
        issuer=claims["iss"],
        audience=tuple(one for one in ([audience] if isinstance(audience, str) else audience) if isinstance(one, str)),
        checks=("signature", "iss", "exp", *(name for name in ("aud", "nbf") if name in claims)),
    )


def _instant(value: Any) -> float | None:
    """A NumericDate: any JSON number, and nothing else. Spec: RFC 7519 §2."""
    return None if isinstance(value, bool) or not isinstance(value, int | float) else value


def _is_for(audience: Any, client_id: str) -> bool:
    return audience == client_id or (isinstance(audience, list) and client_id in audience)
