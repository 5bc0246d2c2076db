"""Discovery and the keys that verify what the hub signs.

Spec: OpenID Connect Discovery 1.0 §3, RFC 8414 §2; the digest's §4.4 for what real hubs tell. Only what this hub has is
told: no authorization and no pushed authorization request endpoint, because consents are staged by the control API, and
no certificate-bound tokens. Real key stores are another host; here they are not.
"""

from aiohttp import web

from tracker.sandbox.context import HUB
from tracker.sandbox.kinds import SCOPES

_CACHED = {"Cache-Control": "max-age=900"}


def routes() -> list[web.RouteDef]:
    """List the discovery document and the JWK Set."""
    return [
        web.get("/.well-known/openid-configuration", _discovery, name="discovery", allow_head=False),
        web.get("/jwks", _jwks, name="jwks", allow_head=False),
    ]


async def _discovery(request: web.Request) -> web.Response:
    issuer = request.app[HUB].issuer
    token_endpoint = f"{issuer}/token"
    document = {
        "issuer": issuer,
        "token_endpoint": token_endpoint,
        "jwks_uri": f"{issuer}/jwks",
        "mtls_endpoint_aliases": {"token_endpoint": token_endpoint},
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "scopes_supported": sorted(SCOPES),
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["PS256"],
        "tls_client_certificate_bound_access_tokens": False,
    }
    return web.json_response(document, headers=_CACHED)


async def _jwks(request: web.Request) -> web.Response:
    return web.json_response(request.app[HUB].keyring.jwks(), headers=_CACHED)
