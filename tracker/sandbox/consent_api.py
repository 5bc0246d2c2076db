"""GET one consent, of each of the three kinds, and PATCH it.

Checked in this order: access token (401), its scope (403), what the client can read (406), and whether the consent is
one of this kind that this very client staged (404, as if it did not exist).

A PATCH is checked in the same order, but for its media type (415) in the place of what can be read, and at the end its body
(400, see `patch`). `Revoked` for what can be revoked is 204; for anything else 400 `Consent.BusinessRuleViolation`.

Spec: OpenAPI v2.1, `GET /account-access-consents/{ConsentId}`, `/payment-consents/{ConsentId}`,
`/insurance-consents/{ConsentId}`. Conflict: the first documents no 404; hubs answer one all the same.
"""

from aiohttp import web

from tracker.sandbox.answer import answer, error_answer, media_type_for
from tracker.sandbox.context import CLIENT_ID, HUB
from tracker.sandbox.document import resource_of
from tracker.sandbox.hub import Hub
from tracker.sandbox.kinds import RESOURCES, Kind
from tracker.sandbox.patch import RefusedPatchError, media_types_of, read_patch
from tracker.sandbox.tokens import AccessToken


def routes() -> list[web.RouteDef]:
    """List the consent endpoints."""
    places = [(f"{resource.path}/{{consent_id}}", kind, _Place(kind)) for kind, resource in RESOURCES.items()]
    return [
        *(web.get(path, place.get, name=f"consent:{kind}", allow_head=False) for path, kind, place in places),
        *(web.patch(path, place.patch, name=f"consent:{kind}:patch") for path, kind, place in places),
    ]


class _Place:
    """Where the consents of one kind are read, and revoked."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    async def get(self, request: web.Request) -> web.Response:
        hub = request.app[HUB]
        token = _bearer(request, hub)
        if token is None:
            return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
        request[CLIENT_ID] = token.client_id
        if not RESOURCES[self._kind].scopes <= token.scopes:
            return error_answer(request, 403)
        media_type = media_type_for(request)
        if media_type is None:
            return error_answer(request, 406)
        consent = hub.visible_consent(self._kind, request.match_info["consent_id"], token.client_id)
        if consent is None:
            return error_answer(request, 404)
        body = resource_of(consent, hub.clock, base_url=hub.url, webhook_url=hub.webhook_of(consent))
        return answer(request, body, media_type)

    async def patch(self, request: web.Request) -> web.Response:
        hub = request.app[HUB]
        token = _bearer(request, hub)
        if token is None:
            return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
        request[CLIENT_ID] = token.client_id
        if not RESOURCES[self._kind].scopes <= token.scopes:
            return error_answer(request, 403)
        if request.content_type not in media_types_of(self._kind):
            return error_answer(request, 415)
        consent = hub.visible_consent(self._kind, request.match_info["consent_id"], token.client_id)
        if consent is None:
            return error_answer(request, 404)
        try:
            patch = read_patch(
                await request.read(),
                request.content_type,
                self._kind,
                hub.clients.require(token.client_id),
                issuer=hub.issuer,
                now=hub.clock.now().timestamp(),
            )
            hub.patch(consent, patch)
        except RefusedPatchError as refusal:
            return error_answer(request, 400, refusal.code)
        return web.Response(status=204)


def _bearer(request: web.Request, hub: Hub) -> AccessToken | None:
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    return hub.tokens.get(credentials.strip(), hub.clock.now()) if scheme.lower() == "bearer" else None
