"""The token endpoint: client credentials for a private_key_jwt, nothing else.

Spec: RFC 6749 §4.4 and §5, RFC 7523 §2.2; OpenAPI `authorization-endpoints` v2.1 `POST /token`, which knows 400 as the
only refusal, so that even `invalid_client` is a 400 here.
"""

from urllib.parse import parse_qsl

from aiohttp import web

from tracker.sandbox.assertion import InvalidClientError
from tracker.sandbox.context import CLIENT_ID, HUB, SCOPE
from tracker.sandbox.hub import Hub
from tracker.sandbox.kinds import SCOPES

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_MAX_FIELDS = 50
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class _RefusedError(Exception):
    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


def routes() -> list[web.RouteDef]:
    """List the token endpoint."""
    return [web.post("/token", _issue, name="token")]


async def _issue(request: web.Request) -> web.Response:
    try:
        return web.json_response(await _granted(request, request.app[HUB]), headers=_NO_STORE)
    except _RefusedError as refusal:
        body = {"error": refusal.error, "error_description": str(refusal)}
        return web.json_response(body, status=400, headers=_NO_STORE)


async def _granted(request: web.Request, hub: Hub) -> dict[str, str | int]:
    form = await _form(request)
    if _required(form, "grant_type") != "client_credentials":
        raise _RefusedError("unsupported_grant_type", "grant_type must be client_credentials")
    client_id = _authenticated(form, hub)
    request[CLIENT_ID] = client_id
    request[SCOPE] = form.get("scope", "")
    scopes = frozenset(form.get("scope", "").split())
    if not scopes or not scopes <= SCOPES:
        unknown = " ".join(sorted(scopes - SCOPES)) or "nothing"
        raise _RefusedError("invalid_scope", f"scope asks for {unknown}")
    lifetime = hub.token_lifetime_seconds
    token = hub.tokens.issue(client_id, scopes, lifetime_seconds=lifetime, now=hub.clock.now())
    return {"access_token": token, "token_type": "Bearer", "expires_in": lifetime, "scope": " ".join(sorted(scopes))}


def _authenticated(form: dict[str, str], hub: Hub) -> str:
    if "client_secret" in form:
        raise _RefusedError("invalid_request", "client_secret has no place beside a client assertion")
    assertion_type = _required(form, "client_assertion_type")
    if assertion_type != ASSERTION_TYPE:
        # The OpenAPI file shows the value percent-encoded already; encoded again it reads %3A here.
        hint = "; it was percent-encoded twice" if "%3A" in assertion_type.upper() else ""
        raise _RefusedError("invalid_client", f"client_assertion_type must be {ASSERTION_TYPE}{hint}")
    assertion = _required(form, "client_assertion")
    try:
        client = hub.assertions.authenticate(assertion, issuer=hub.issuer, now=hub.clock.now().timestamp())
    except InvalidClientError as error:
        raise _RefusedError("invalid_client", str(error)) from error
    if form.get("client_id", client.client_id) != client.client_id:
        raise _RefusedError("invalid_client", "client_id is not the client of the assertion")
    return client.client_id


async def _form(request: web.Request) -> dict[str, str]:
    if request.content_type != "application/x-www-form-urlencoded":
        raise _RefusedError("invalid_request", "the body must be application/x-www-form-urlencoded")
    if "Authorization" in request.headers:
        raise _RefusedError("invalid_request", "a client authenticates in one way only, by its assertion")
    try:
        text = (await request.read()).decode("ascii")
        pairs = parse_qsl(
            text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=_MAX_FIELDS
        )
    except ValueError as error:
        raise _RefusedError("invalid_request", "the body is not a form") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise _RefusedError("invalid_request", "a parameter appears twice")
    return form


def _required(form: dict[str, str], name: str) -> str:
    value = form.get(name)
    if not value:
        raise _RefusedError("invalid_request", f"{name} is missing")
    return value
