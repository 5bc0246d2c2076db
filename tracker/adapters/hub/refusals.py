"""What a holder's answer means when it is not the one that was asked for."""

import re
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from tracker.adapters.hub.headers import retry_after_seconds
from tracker.adapters.hub.session import Reply
from tracker.domain import strict_json
from tracker.domain.errors import (
    ConsentApiContractError,
    ConsentApiError,
    ConsentApiRefusedError,
    ConsentApiUnavailableError,
    ConsentNotStagedError,
    MalformedEventError,
    RevocationRefusedError,
)
from tracker.profiles import compact
from tracker.profiles.profile import Profile, Refusal, RefusalMeaning, UnreadableMessageError

_OAUTH_ERROR: Final = re.compile(r"[a-z_]{1,60}")
_PASSING: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_SERVER_ERRORS: Final = 500


def unusable(reply: Reply, now: datetime) -> ConsentApiError:
    """Make the error for a status by its number alone: worth another try (408, 429, 5xx), or not."""
    said = f"{reply.url.host} answered {reply.status}"
    if reply.status in _PASSING or reply.status >= _SERVER_ERRORS:
        return ConsentApiUnavailableError(f"{said}.", retry_after_seconds=retry_after_seconds(reply.headers, now))
    return ConsentApiContractError(f"{said}, which is outside the standard.")


def token_refused(reply: Reply, now: datetime) -> ConsentApiError:
    """Make the error for a token endpoint's answer that is not 200.

    Spec: RFC 6749 §5.2: 400, or 401 for a client that could not be authenticated.
    """
    if reply.status not in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return unusable(reply, now)
    document = _json(reply.body)
    error = document.get("error") if isinstance(document, dict) else None
    named = f" ({error})" if isinstance(error, str) and _OAUTH_ERROR.fullmatch(error) else ""
    return ConsentApiRefusedError(f"{reply.url.host} refused us a token with {reply.status}{named}.")


def consent_refused(reply: Reply, profile: Profile, now: datetime) -> ConsentApiError:
    """Make the error for a consent endpoint's answer that is not 200.

    What a 400 means, the profile knows; every other status speaks for itself.
    """
    refusal = _read(reply, profile)
    said = f"{reply.url.host} answered {reply.status}" + (f" ({refusal.code})" if refusal.code is not None else "")
    match reply.status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return ConsentApiRefusedError(f"{said}.")
        case HTTPStatus.BAD_REQUEST if refusal.meaning is RefusalMeaning.PASSING:
            return ConsentApiUnavailableError(f"{said}.", retry_after_seconds=retry_after_seconds(reply.headers, now))
        case HTTPStatus.BAD_REQUEST if refusal.meaning is RefusalMeaning.OUTSIDE:
            return ConsentApiContractError(f"{said}, which this request cannot have caused.")
        case HTTPStatus.BAD_REQUEST | HTTPStatus.NOT_FOUND:
            return ConsentNotStagedError(f"{said}: it does not know the consent.")
        case _:
            return unusable(reply, now)


def revocation_refused(reply: Reply, profile: Profile, now: datetime) -> ConsentApiError:
    """Make the error for the answer to a revocation that was not accepted."""
    refusal = _read(reply, profile)
    said = f"{reply.url.host} answered {reply.status}" + (f" ({refusal.code})" if refusal.code is not None else "")
    match reply.status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return ConsentApiRefusedError(f"{said}.")
        case HTTPStatus.BAD_REQUEST if refusal.meaning is RefusalMeaning.PASSING:
            return ConsentApiUnavailableError(f"{said}.", retry_after_seconds=retry_after_seconds(reply.headers, now))
        case HTTPStatus.BAD_REQUEST:
            return RevocationRefusedError(refusal.code or "bad_request", f"{said}: it does not revoke the consent.")
        case HTTPStatus.NOT_FOUND:
            return ConsentNotStagedError(f"{said}: it does not know the consent.")
        case _:
            return unusable(reply, now)


def _read(reply: Reply, profile: Profile) -> Refusal:
    """Read an error's body, signed or not.

    Holders sign their errors too. That signature is not checked: the connection vouches for the sender, and the code decides
    nothing but how soon we ask again.
    """
    if reply.media_type == "application/jwt":
        try:
            _, claims = compact.unverified_claims(reply.body.strip())
            return profile.read_refusal(profile.open_answer(claims))
        except (MalformedEventError, UnreadableMessageError):
            return profile.read_refusal(None)
    return profile.read_refusal(_json(reply.body))


def _json(body: bytes) -> Any:
    try:
        return strict_json.loads(body)
    except strict_json.NotStrictJsonError:
        return None
