"""Errors as RFC 9457 problems: the one place where our codes meet HTTP's statuses."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from pydantic import ValidationError

from tracker.domain.errors import ConsentApiUnavailableError, TrackerError

_log = logging.getLogger(__name__)

STATUSES: Mapping[str, int] = {
    "malformed_json": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "consent_not_found": 404,
    "provider_not_found": 404,
    "subscription_not_found": 404,
    "method_not_allowed": 405,
    "consent_conflict": 409,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "invalid_request": 422,
    "cursor_invalid": 422,
    "internal_error": 500,
    "holder_refused": 502,
    "holder_unavailable": 503,
    "not_ready": 503,
}
"""Every code that the API answers with."""

_TITLES: Mapping[str, str] = {
    "malformed_json": "The body is not JSON",
    "unauthorized": "Show a valid API key",
    "forbidden": "The API key lacks the scope for this",
    "not_found": "There is nothing here",
    "consent_not_found": "This consent is not tracked",
    "provider_not_found": "No such provider is configured",
    "subscription_not_found": "There is no such subscription",
    "method_not_allowed": "This cannot be done here",
    "consent_conflict": "The consent is tracked already, with other facts",
    "body_too_large": "The body is too large",
    "unsupported_media_type": "Send application/json",
    "invalid_request": "The request makes no sense",
    "cursor_invalid": "The cursor is not one of this list",
    "internal_error": "Something went wrong on our side",
    "holder_refused": "The holder refused to answer us",
    "holder_unavailable": "The holder cannot answer now",
    "not_ready": "The service cannot do its work now",
}

_OF_HTTP: Mapping[int, str] = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
# What the holder does wrong is, to our caller, a holder that cannot answer.
_OF_ERRORS: Mapping[str, str] = {
    "holder_contract_broken": "holder_unavailable",
    "holder_error": "holder_unavailable",
    "storage_unavailable": "not_ready",
    "row_inconsistent": "internal_error",
}


class Problem(Exception):  # noqa: N818 - RFC 9457's word
    """An answer that says what is wrong.

    Attributes:
        code: One of `STATUSES`.
        errors: What exactly, with JSON pointers.
        headers: Such as Retry-After.
    """

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or _TITLES[code])
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}

    def response(self) -> web.Response:
        """Render it."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": _TITLES[self.code],
            "status": STATUSES[self.code],
            "code": self.code,
        }
        if self.detail is not None:
            body["detail"] = self.detail
        if self.errors:
            body["errors"] = list(self.errors)
        return web.json_response(
            body, status=STATUSES[self.code], content_type="application/problem+json", headers=self.headers
        )


def invalid(error: ValidationError, code: str = "invalid_request") -> Problem:
    """What pydantic found, without the values."""
    errors = [
        {"pointer": "".join(f"/{_escaped(step)}" for step in found["loc"]), "detail": found["msg"]}
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return Problem(code, errors=errors)


def _escaped(step: str | int) -> str:
    return str(step).replace("~", "~0").replace("/", "~1")


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever is raised into a problem; the unexpected is logged and not shown."""
    try:
        return await handler(request)
    except Problem as problem:
        return problem.response()
    except web.HTTPException as error:
        if error.status not in _OF_HTTP:
            raise
        kept = {str(name): error.headers[name] for name in (hdrs.ALLOW,) if name in error.headers}
        return Problem(_OF_HTTP[error.status], headers=kept).response()
    except TrackerError as error:
        return of_error(error).response()
    except Exception:  # noqa: BLE001 - logged; the caller learns nothing of it
        _log.exception("%s %s failed", request.method, request.path)
        return Problem("internal_error").response()


def of_error(error: TrackerError) -> Problem:
    """The problem that one of our errors is to a caller."""
    code = _OF_ERRORS.get(error.code, error.code)
    if code not in STATUSES:
        _log.error("No HTTP status for the error %s", error.code, exc_info=error)
        return Problem("internal_error")
    headers: dict[str, str] = {}
    if isinstance(error, ConsentApiUnavailableError) and error.retry_after_seconds is not None:
        headers[hdrs.RETRY_AFTER] = str(max(1, round(error.retry_after_seconds)))
    elif STATUSES[code] == HTTPStatus.SERVICE_UNAVAILABLE:
        headers[hdrs.RETRY_AFTER] = "1"
    detail = None if code in {"internal_error", "not_ready"} else str(error)
    return Problem(code, detail, headers=headers)
