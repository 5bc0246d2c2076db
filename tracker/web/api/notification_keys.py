"""Our public keys that verify what subscribers are told."""

from aiohttp import web

from tracker.web.api.operation import Operation, answer
from tracker.web.api.shapes.notification_keys import NotificationKeysOut
from tracker.web.services import Services


async def listing(_: web.Request, services: Services) -> web.Response:
    """Show them."""
    return answer(NotificationKeysOut.model_validate(services.notification_jwks()))


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/notification-keys",
        scope=None,
        summary="Get our public keys for notifications",
        description=(
            "A JWK Set (RFC 7517) of the Ed25519 keys that make signatures `v1a`. The first one signs now; the others will, or "
            "did: take what any of them verifies. `whpk` is the same key as Standard Webhooks writes it. Empty without a "
            "`signing_key`."
        ),
        handle=listing,
        answers={200: NotificationKeysOut},
    ),
)
