"""Answers of the consent endpoints: plain or signed, with the errors that the standard gives a body.

Spec: OpenAPI v2.1, `Jwt`/`AEJwt` for the claims, `AEError400Response` and its siblings; payments are signed always.
"""

from typing import Any

from aiohttp import web

from tracker.sandbox import jose
from tracker.sandbox.context import CLIENT_ID, HUB, WRONG_KEY
from tracker.sandbox.kinds import JSON, JWT, RESOURCES, Kind

ANSWER_LIFETIME_SECONDS = 300

_CODES = {400: "Consent.Invalid", 403: "AccessToken.InvalidScope", 500: "GenericError"}
_MESSAGES = {
    400: "The request is not acceptable",
    403: "The access token does not have the scope that this resource needs",
    500: "The hub failed",
}


def media_type_for(request: web.Request) -> str | None:
    """Choose the media type of an answer; None when nothing that the resource offers is acceptable.

    The resource's own order decides between types that are equally welcome (RFC 9110 §12.5.1).
    """
    offered = offered_by(request)
    accept = ",".join(request.headers.getall("Accept", [])) or "*/*"
    welcome = {media_type: _quality(accept, media_type) for media_type in offered}
    best = max(offered, key=lambda media_type: welcome[media_type])
    return best if welcome[best] > 0 else None


def offered_by(request: web.Request) -> tuple[str, ...]:
    """List the media types of the resource that a request is for."""
    kind = (request.match_info.route.name or "").partition(":")[2].partition(":")[0]
    return RESOURCES[Kind(kind)].media_types if kind else (JSON,)


def answer(request: web.Request, body: dict[str, Any], media_type: str, status: int = 200) -> web.Response:
    """Answer with a body, signed when it goes out as a JWT."""
    if media_type == JSON:
        return web.json_response(body, status=status)
    hub = request.app[HUB]
    issued = hub.clock.epoch()
    claims: dict[str, Any] = {"iss": hub.issuer, "iat": issued, "nbf": issued, "exp": issued + ANSWER_LIFETIME_SECONDS}
    if (client_id := request.get(CLIENT_ID)) is not None:
        claims["aud"] = [client_id]
    key = hub.keyring.stranger if request.get(WRONG_KEY) else hub.keyring.current
    token = jose.sign(claims | {"message": body}, key, kid=hub.keyring.current.kid)
    return web.Response(body=token.encode("ascii"), content_type=JWT, status=status)


def error_answer(request: web.Request, status: int, code: str | None = None) -> web.Response:
    """Answer with an error; only 400, 403 and 500 have a body. The code is the usual one of the status unless given."""
    if status not in _CODES:
        return web.Response(status=status)
    body = {"Errors": [{"Code": code or _CODES[status], "Message": _MESSAGES[status]}]}
    return answer(request, body, media_type_for(request) or offered_by(request)[0], status)


def _quality(accept: str, media_type: str) -> float:
    """Read how welcome a media type is; the most specific range that matches it decides."""
    ranges = {media_type: 2, media_type.partition("/")[0] + "/*": 1, "*/*": 0}
    found = (-1, 0.0)
    for item in accept.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        if name in ranges:
            found = max(found, (ranges[name], _weight(parameters)))
    return found[1]


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
