"""Who may: API keys as bearer tokens, and the scopes that operations ask for."""

from aiohttp import hdrs, web

from tracker.ports import ApiKey
from tracker.web.problems import Problem
from tracker.web.services import SERVICES

_CHALLENGE = {str(hdrs.WWW_AUTHENTICATE): 'Bearer realm="consent tracker"'}


async def require_scope(request: web.Request, scope: str) -> ApiKey:
    """The caller's key, if it is good and has a scope; `admin` has all."""
    scheme, _, shown = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    key = await request.app[SERVICES].api_keys.check(shown.strip()) if scheme.lower() == "bearer" else None
    if key is None:
        raise Problem("unauthorized", headers=_CHALLENGE)
    if not key.scopes & {scope, "admin"}:
        raise Problem("forbidden", f"This needs the scope {scope!r}.")
    return key
