"""Who may: API keys as bearer tokens, and the scopes that operations ask for."""

from aiohttp import hdrs, web

from tracker.ports import ApiKey
from tracker.web.connections import CONNECTIONS
from tracker.web.problems import Problem
from tracker.web.services import SERVICES

PRIVATE_SCOPES = frozenset({"audit", "admin"})
"""Any one of them lets a caller see personal values in the journal."""

_REALM = 'Bearer realm="consent tracker"'


async def require_scope(request: web.Request, scope: str) -> ApiKey:
    """The caller's key, if it is good and has a scope; `admin` has all.

    Spec: RFC 6750 §3: a challenge names an error only where a key was shown.
    """
    shown = request.headers.get(hdrs.AUTHORIZATION)
    if shown is None:
        raise Problem("unauthorized", headers={str(hdrs.WWW_AUTHENTICATE): _REALM})
    scheme, _, text = shown.partition(" ")
    key = await request.app[SERVICES].api_keys.check(text.strip()) if scheme.lower() == "bearer" else None
    if key is None:
        raise Problem("unauthorized", headers={str(hdrs.WWW_AUTHENTICATE): f'{_REALM}, error="invalid_token"'})
    request.app[CONNECTIONS].know(request.transport)
    if not key.scopes & {scope, "admin"}:
        raise forbidden(f"This needs the scope {scope!r}.", scope)
    return key


def forbidden(detail: str, scope: str) -> Problem:
    """Say that a good key may not do this, and what it lacks."""
    challenge = f'{_REALM}, error="insufficient_scope", scope="{scope}"'
    return Problem("forbidden", detail, headers={str(hdrs.WWW_AUTHENTICATE): challenge})
