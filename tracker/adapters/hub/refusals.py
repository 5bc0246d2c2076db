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
)
from tracker.profiles import compact

_ERROR_CODE: Final = re.compile(r"[A-Za-z.]{1,80}")
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
    error = _member(_json(reply.body), "error")
    named = f" ({error})" if isinstance(error, str) and _OAUTH_ERROR.fullmatch(error) else ""
    return ConsentApiRefusedError(f"{reply.url.host} refused us a token with {reply.status}{named}.")


def consent_refused(reply: Reply, now: datetime) -> ConsentApiError:
    """Make the error for a consent endpoint's answer that is not 200.

    A 400 is what some holders say for a consent that they do not know. Two groups of codes are something else: `Generic…` is
    a fault of the holder's, which may pass; `JWS.…` and `JWE.…` complain about a signature or an encryption that a GET does
    not have, so that asking again helps nobody.

    Spec: UAE Open Finance v2.1, the error responses of each consent GET.
    """
    code = error_code(reply)
    said = f"{reply.url.host} answered {reply.status}" + (f" ({code})" if code is not None else "")
    match reply.status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return ConsentApiRefusedError(f"{said}.")
        case HTTPStatus.BAD_REQUEST if code is not None and code.startswith("Generic"):
            return ConsentApiUnavailableError(f"{said}.", retry_after_seconds=retry_after_seconds(reply.headers, now))
        case HTTPStatus.BAD_REQUEST if code is not None and code.startswith(("JWS.", "JWE.")):
            return ConsentApiContractError(f"{said} to a request without a signature.")
        case HTTPStatus.BAD_REQUEST | HTTPStatus.NOT_FOUND:
            return ConsentNotStagedError(f"{said}: it does not know the consent.")
        case _:
            return unusable(reply, now)


def error_code(reply: Reply) -> str | None:
    """Read the code of the first error that a holder names; None if there is none of the form.

    Holders sign their errors too. That signature is not checked: the connection vouches for the sender, and the code decides
    nothing but how soon we ask again.
    """
    if reply.media_type == "application/jwt":
        try:
            _, claims = compact.unverified_claims(reply.body.strip())
        except MalformedEventError:
            return None
        document: Any = claims.get("message")
    else:
        document = _json(reply.body)
    errors = _member(document, "Errors")
    code = _member(errors[0], "Code") if isinstance(errors, list) and errors else None
    return code if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else None


def _json(body: bytes) -> Any:
    try:
        return strict_json.loads(body)
    except strict_json.NotStrictJsonError:
        return None


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None
