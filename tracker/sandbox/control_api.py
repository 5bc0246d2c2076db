"""Drive the hub over HTTP: everything under `/sandbox`, in JSON, for curl.

    POST   /sandbox/clients                     register a client
    GET    /sandbox/clients
    POST   /sandbox/consents                    stage a consent
    GET    /sandbox/consents
    GET    /sandbox/consents/{consent_id}       as the hub keeps it, with its history
    POST   /sandbox/consents/{consent_id}/move  give it another status
    PATCH  /sandbox/consents/{consent_id}       change other members of Data
    POST   /sandbox/consents/{consent_id}/authorizations  let one of several authorizers decide
    POST   /sandbox/groups/{base_consent_id}/revoke       revoke a whole chain, each consent with its event
    PUT    /sandbox/revocation                  what is done with a PATCH of what cannot be revoked
    POST   /sandbox/events                      send an event beside the moves
    GET    /sandbox/events                      what was sent, and what became of it
    POST   /sandbox/events/release              let held events go
    GET    /sandbox/requests                    what third parties asked
    POST   /sandbox/faults/event                plan a fault for the next event
    POST   /sandbox/faults/api                  let answers go wrong
    DELETE /sandbox/faults                      plan nothing any more
    POST   /sandbox/outage                      be away: refuse or reset connections, or never answer
    DELETE /sandbox/outage                      be back
    PUT    /sandbox/expiry                      punctual, late, never; told by an event or not
    POST   /sandbox/tokens/revoke               kill access tokens
    POST   /sandbox/keys/rotate                 sign with a new key
    DELETE /sandbox/keys/{kid}                  take a key out of the JWK Set

Errors are `{"error": "…"}` in one sentence. There is no authentication: bind it to a loopback address only.
"""

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import ValidationError

from tracker.sandbox import control_views as view
from tracker.sandbox.context import HUB
from tracker.sandbox.control_bodies import (
    ApiFaultBody,
    ClientBody,
    DecisionBody,
    EventBody,
    EventFaultBody,
    ExpiryBody,
    GroupRevokeBody,
    MoveBody,
    OutageBody,
    ReleaseBody,
    RevocationBody,
    RotateBody,
    StageBody,
    TokenBody,
    UpdateBody,
)
from tracker.sandbox.errors import SandboxError
from tracker.sandbox.exchange import CONTROL_PREFIX
from tracker.sandbox.hub import Hub
from tracker.sandbox.message import account_opening_message, fx_quote_message, insurance_quote_message
from tracker.sandbox.recorder import HubEvent

_QUOTES = {
    "insurance-quote": insurance_quote_message,
    "fx-quote": fx_quote_message,
    "account-opening": account_opening_message,
}


def routes() -> list[web.RouteDef]:
    """List the control endpoints."""
    return [
        web.post("/sandbox/clients", _register),
        web.get("/sandbox/clients", _clients),
        web.post("/sandbox/consents", _stage),
        web.get("/sandbox/consents", _consents),
        web.get("/sandbox/consents/{consent_id}", _consent),
        web.patch("/sandbox/consents/{consent_id}", _update),
        web.post("/sandbox/consents/{consent_id}/move", _move),
        web.post("/sandbox/consents/{consent_id}/authorizations", _decide),
        web.post("/sandbox/groups/{base_consent_id}/revoke", _revoke_group),
        web.put("/sandbox/revocation", _revocation),
        web.post("/sandbox/outage", _go_away),
        web.delete("/sandbox/outage", _come_back),
        web.post("/sandbox/events", _send),
        web.get("/sandbox/events", _events),
        web.post("/sandbox/events/release", _release),
        web.get("/sandbox/requests", _requests),
        web.post("/sandbox/faults/event", _plan),
        web.post("/sandbox/faults/api", _break),
        web.delete("/sandbox/faults", _mend),
        web.put("/sandbox/expiry", _expiry),
        web.post("/sandbox/tokens/revoke", _revoke_tokens),
        web.post("/sandbox/keys/rotate", _rotate),
        web.delete("/sandbox/keys/{kid}", _withdraw),
    ]


@web.middleware
async def explained(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what the control API refuses into one sentence."""
    if not request.path.startswith(CONTROL_PREFIX):
        return await handler(request)
    try:
        return await handler(request)
    except SandboxError as error:
        return web.json_response({"error": str(error)}, status=error.status)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"]) or "the body"
        return web.json_response({"error": f"{place}: {first['msg']}"}, status=422)
    except web.HTTPException as error:
        return web.json_response({"error": error.reason}, status=error.status)


async def _register(request: web.Request) -> web.Response:
    body = ClientBody.model_validate_json(await request.read())
    client = request.app[HUB].register_client(
        body.client_id,
        signing_jwks=body.signing_jwks,
        encryption_jwks=body.encryption_jwks,
        webhook_url=body.webhook_url,
        encryption_kid=body.encryption_kid,
    )
    return web.json_response(view.client(client), status=201)


async def _clients(request: web.Request) -> web.Response:
    return web.json_response({"items": [view.client(client) for client in request.app[HUB].clients.all()]})


async def _stage(request: web.Request) -> web.Response:
    body = StageBody.model_validate_json(await request.read())
    hub = request.app[HUB]
    consent = hub.stage(body.kind, body.consent_id, client_id=body.client_id, terms=body.terms(), send=body.send)
    return web.json_response(view.consent(consent, hub.clock), status=201)


async def _consents(request: web.Request) -> web.Response:
    hub = request.app[HUB]
    hub.tick()
    return web.json_response({"items": [view.consent(consent, hub.clock) for consent in hub.consents]})


async def _consent(request: web.Request) -> web.Response:
    hub = request.app[HUB]
    return web.json_response(view.consent(hub.consent(request.match_info["consent_id"]), hub.clock))


async def _update(request: web.Request) -> web.Response:
    body = UpdateBody.model_validate_json(await request.read())
    hub, consent_id = request.app[HUB], request.match_info["consent_id"]
    event = hub.update(consent_id, body.data, send=body.send, fault=body.fault)
    return _moved(hub, consent_id, event)


async def _move(request: web.Request) -> web.Response:
    body = MoveBody.model_validate_json(await request.read())
    hub, consent_id = request.app[HUB], request.match_info["consent_id"]
    event = hub.move(
        consent_id,
        body.status,
        revoked_by=body.revoked_by,
        at=body.at,
        send=body.send,
        force=body.force,
        fault=body.fault,
    )
    return _moved(hub, consent_id, event)


def _moved(hub: Hub, consent_id: str, event: HubEvent | None) -> web.Response:
    return web.json_response(
        {
            "consent": view.consent(hub.consent(consent_id), hub.clock),
            "event": view.event(event) if event is not None else None,
        }
    )


async def _decide(request: web.Request) -> web.Response:
    body = DecisionBody.model_validate_json(await request.read())
    hub, consent_id = request.app[HUB], request.match_info["consent_id"]
    return _moved(hub, consent_id, hub.decide(consent_id, body.authorizer_id, body.status, send=body.send))


async def _revoke_group(request: web.Request) -> web.Response:
    body = GroupRevokeBody.model_validate_json(await request.read() or b"{}")
    hub = request.app[HUB]
    ended = hub.revoke_group(request.match_info["base_consent_id"], body.revoked_by)
    return web.json_response({"items": [view.consent(consent, hub.clock) for consent in ended]})


async def _revocation(request: web.Request) -> web.Response:
    request.app[HUB].revocation = RevocationBody.model_validate_json(await request.read()).policy()
    return web.Response(status=204)


async def _go_away(request: web.Request) -> web.Response:
    body = OutageBody.model_validate_json(await request.read())
    await request.app[HUB].outages.begin(body.mode, body.seconds)
    return web.Response(status=204)


async def _come_back(request: web.Request) -> web.Response:
    await request.app[HUB].outages.end()
    return web.Response(status=204)


async def _send(request: web.Request) -> web.Response:
    body = EventBody.model_validate_json(await request.read())
    hub = request.app[HUB]
    status = {} if body.status is None else {"status": body.status}
    event: HubEvent | None
    if body.family == "consent":
        event = hub.notify(body.subject, fault=body.fault)
    elif body.family == "payment":
        event = hub.notify_payment(body.subject, body.payment_id, **status, fault=body.fault)
    else:
        event = hub.send(_QUOTES[body.family](hub.clock, body.subject, **status), body.client_id, fault=body.fault)
    return web.json_response({"event": view.event(event) if event is not None else None}, status=202)


async def _events(request: web.Request) -> web.Response:
    return web.json_response({"items": [view.event(event) for event in request.app[HUB].recorder.events]})


async def _release(request: web.Request) -> web.Response:
    body = ReleaseBody.model_validate_json(await request.read() or b"{}")
    return web.json_response({"items": [view.event(event) for event in request.app[HUB].release(body.subject)]})


async def _requests(request: web.Request) -> web.Response:
    return web.json_response({"items": [view.received(item) for item in request.app[HUB].recorder.requests]})


async def _plan(request: web.Request) -> web.Response:
    body = EventFaultBody.model_validate_json(await request.read())
    request.app[HUB].faults.plan_event(body.fault, body.subject)
    return web.Response(status=204)


async def _break(request: web.Request) -> web.Response:
    request.app[HUB].faults.break_api(ApiFaultBody.model_validate_json(await request.read()).fault)
    return web.Response(status=204)


async def _mend(request: web.Request) -> web.Response:
    request.app[HUB].faults.clear()
    return web.Response(status=204)


async def _expiry(request: web.Request) -> web.Response:
    request.app[HUB].consents.set_expiry(ExpiryBody.model_validate_json(await request.read()).policy())
    return web.Response(status=204)


async def _revoke_tokens(request: web.Request) -> web.Response:
    body = TokenBody.model_validate_json(await request.read() or b"{}")
    hub = request.app[HUB]
    if body.lifetime_seconds is not None:
        hub.token_lifetime_seconds = body.lifetime_seconds
    return web.json_response({"revoked": hub.tokens.revoke_all(body.client_id)})


async def _rotate(request: web.Request) -> web.Response:
    body = RotateBody.model_validate_json(await request.read() or b"{}")
    return web.json_response({"kid": request.app[HUB].keyring.rotate(keep_old=body.keep_old).kid}, status=201)


async def _withdraw(request: web.Request) -> web.Response:
    request.app[HUB].keyring.withdraw(request.match_info["kid"])
    return web.Response(status=204)
