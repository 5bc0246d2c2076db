"""Errors as RFC 9457 problems: the one place where our codes meet HTTP's statuses."""

import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from pydantic import ValidationError

from tracker.domain.errors import ConsentApiUnavailableError, RateLimitedError, StorageError, TrackerError

_log = logging.getLogger(__name__)

TITLES: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        "malformed_json": (400, "The body is not JSON that can be read in one way only"),
        "unauthorized": (401, "Show a valid API key"),
        "forbidden": (403, "The API key lacks the scope for this"),
        "not_found": (404, "There is nothing here"),
        "consent_not_found": (404, "This consent is not tracked"),
        "provider_not_found": (404, "No such provider is configured"),
        "quarantined_event_not_found": (404, "There is no such event in the quarantine, or not any more"),
        "subscription_not_found": (404, "There is no such subscription"),
        "hold_not_found": (404, "There is no such legal hold, or not any more"),
        "completion_not_found": (404, "No such work is asked for"),
        "job_not_found": (404, "There is no such job of this subscription, or not any more"),
        "checkpoint_not_found": (404, "No checkpoint over so many entries is kept"),
        "export_not_found": (404, "There is no such export or file of it, or not any more"),
        "method_not_allowed": (405, "This cannot be done here"),
        "consent_conflict": (409, "The consent is tracked already, with other facts"),
        "not_pausable": (409, "Only an authorized consent can be paused, and no single payment"),
        "not_revocable": (409, "There is nothing to revoke"),
        "revocation_pending": (409, "The holder has been asked to revoke it"),
        "completion_conflict": (409, "Something else was reported of this work"),
        "subscription_not_polled": (409, "It has a URL to which its entries are posted"),
        "subscription_polled": (409, "It has no URL to which anything is posted"),
        "not_resendable": (409, "Nothing is posted to this subscription"),
        "too_many_jobs": (409, "Of this subscription enough jobs wait"),
        "not_signed": (409, "Nothing signs checkpoints: there is no checkpoint key"),
        "consent_disposed": (410, "The consent was disposed of when it had not to be kept any longer"),
        "journal_truncated": (410, "Entries that old are not here any more"),
        "exports_not_configured": (409, "There is no folder that exports could be written to"),
        "too_many_exports": (409, "Enough exports wait"),
        "export_elsewhere": (409, "The files of this export lie with another process"),
        "version_conflict": (412, "It is at another version by now"),
        "body_too_large": (413, "The body is too large"),
        "unsupported_media_type": (415, "Send application/json"),
        "invalid_request": (422, "The request makes no sense"),
        "broker_not_configured": (422, "The configuration has no such broker"),
        "extra_not_installed": (422, "The service lacks what this needs"),
        "cosignature_refused": (422, "No witness that is configured has signed this checkpoint"),
        "cursor_invalid": (422, "The cursor is not one of this list"),
        "rate_limited": (429, "That was asked for too often lately"),
        "internal_error": (500, "Something went wrong on our side"),
        "journal_forked": (500, "The journal does not begin with what was signed of it before"),
        "holder_refused": (502, "The holder refused to answer us, or to do it"),
        "holder_unavailable": (503, "The holder cannot answer now"),
        "not_ready": (503, "The service cannot do its work now"),
    }
)
"""Every code that we answer with: its status and its title."""

STATUSES: Mapping[str, int] = MappingProxyType({code: status for code, (status, _) in TITLES.items()})

NO_STORE: Mapping[str, str] = MappingProxyType({str(hdrs.CACHE_CONTROL): "no-store"})

_OF_HTTP = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
# What the holder does wrong is, to our caller, a holder that cannot answer.
_OF_ERRORS = {
    "holder_contract_broken": "holder_unavailable",
    "holder_error": "holder_unavailable",
    "revocation_refused": "holder_refused",
    "signing_key_missing": "not_ready",
    "storage_unavailable": "not_ready",
    "tree_torn": "journal_forked",
    "publishing_failed": "not_ready",
    "row_inconsistent": "internal_error",
}
_RETRY_AFTER_SECONDS = {"rate_limited": 60, "holder_unavailable": 5, "not_ready": 1}
_NOT_FOR_CALLERS = frozenset({"internal_error", "not_ready"})


class Problem(TrackerError):  # noqa: N818 - RFC 9457's word
    """An answer that says what is wrong.

    Attributes:
        problem_code: One of `TITLES`.
        detail: What is wrong this time, in a sentence.
        errors: What exactly, with JSON pointers.
        headers: Such as Retry-After.
    """

    code = "problem"

    def __init__(
        self,
        problem_code: str,
        detail: str | None = None,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or TITLES[problem_code][1])
        self.problem_code = problem_code
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}

    def response(self) -> web.Response:
        """Render it."""
        status, title = TITLES[self.problem_code]
        body: dict[str, Any] = {
            "type": f"/docs#problem-{self.problem_code}",
            "title": title,
            "status": status,
            "code": self.problem_code,
        }
        if self.detail is not None:
            body["detail"] = self.detail
        if self.errors:
            body["errors"] = list(self.errors)
        return web.json_response(
            body, status=status, content_type="application/problem+json", headers={**NO_STORE, **self.headers}
        )


def invalid(error: ValidationError) -> Problem:
    """What pydantic found, without the values."""
    errors = [
        {"pointer": "".join(f"/{_escaped(step)}" for step in found["loc"]), "detail": _said(found["msg"])}
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return Problem("invalid_request", errors=errors)


def _escaped(step: str | int) -> str:
    """Spec: RFC 6901 §3."""
    return str(step).replace("~", "~0").replace("/", "~1")


def _said(message: str) -> str:
    return message.removeprefix("Value error, ")


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever is raised into a problem; the unexpected is logged and not shown."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status not in _OF_HTTP:
            raise
        kept = {str(name): error.headers[name] for name in (hdrs.ALLOW,) if name in error.headers}
        return Problem(_OF_HTTP[error.status], headers=kept).response()
    except TrackerError as error:
        return of_error(error).response()
    except web.RequestPayloadError:
        return Problem("malformed_json", "The body cannot be unpacked as its headers say.").response()
    except ConnectionResetError:  # the caller has gone: nobody reads this
        return Problem("malformed_json").response()
    except Exception:  # noqa: BLE001 - logged; the caller learns nothing of it
        _log.exception("%s %s failed", request.method, request.path)
        return Problem("internal_error").response()


def code_of(error: TrackerError) -> str:
    """The code of the problem that one of our errors is to a caller."""
    if isinstance(error, Problem):
        return error.problem_code
    code = _OF_ERRORS.get(error.code, error.code)
    return code if code in TITLES else "internal_error"


def of_error(error: TrackerError) -> Problem:
    """The problem that one of our errors is to a caller."""
    if isinstance(error, Problem):
        return error
    code = code_of(error)
    if code in _NOT_FOR_CALLERS:
        is_away = (
            isinstance(error, StorageError) and error.retryable
        )  # of the database, there is nothing to see in ours
        _log.error("A request failed: %s", error, exc_info=None if is_away else error)
        detail = None
    else:
        detail = str(error)
    headers: dict[str, str] = {}
    if code in _RETRY_AFTER_SECONDS:
        asked = error.retry_after_seconds if isinstance(error, ConsentApiUnavailableError | RateLimitedError) else None
        seconds = _RETRY_AFTER_SECONDS[code] if asked is None else max(1, round(asked))
        headers[str(hdrs.RETRY_AFTER)] = str(seconds)
    return Problem(code, detail, headers=headers)
