"""How a subscriber wants to be told, besides where: which signatures, which headers, and what we show of ourselves.

Spec: Standard Webhooks 1.0, "Signature scheme"; RFC 9110 §5 (fields), §7.6.1 (what belongs to one connection only);
    RFC 6749 §4.4 (client credentials) and its appendix A (which characters these have).
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlsplit

from tracker.domain.errors import InvalidRequestError

HMAC: Final = "v1"
"""A signature by the subscription's secret."""
ED25519: Final = "v1a"
"""A signature by our own key, whose public half is for everybody."""

MOST_HEADERS: Final = 20
LONGEST_HEADER_NAME: Final = 128
LONGEST_HEADER_VALUE: Final = 4_096
LONGEST_CREDENTIAL: Final = 1_024
SIGNATURES: Final = ((HMAC,), (HMAC, ED25519))

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_CREDENTIAL = re.compile(r"[\x20-\x7e]+")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*")
_OURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "traceparent",
        "tracestate",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
_OUR_PREFIXES = ("content-", "webhook-", "x-forwarded-")


@dataclass(frozen=True, slots=True)
class StaticHeader:
    """A header that every post to a subscriber has.

    Attributes:
        name: As it was given.
        value: Secret: mostly it is a key of the receiver's.
    """

    name: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """With what, and where, an access token is fetched that every post shows.

    Attributes:
        token_url: The authorization server's token endpoint.
        client_id: Who we are there.
        client_secret: How we prove it.
        scope: What for; None: whatever it gives.
    """

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How a subscriber wants to be told.

    Attributes:
        signatures: `v1`, and perhaps `v1a`.
        headers: In the order given.
        credentials: For access tokens; None: no token is shown.
        certificate: The name of the client certificate, as the configuration has it; None: none is shown.
    """

    signatures: tuple[str, ...] = (HMAC,)
    headers: tuple[StaticHeader, ...] = ()
    credentials: ClientCredentials | None = None
    certificate: str | None = None

    def with_changes(self, changes: Mapping[str, Any]) -> "Sending":
        """The same with some members other."""
        return replace(self, **changes)


AS_USUAL: Final = Sending()
"""A signature by the secret, and nothing else."""


def check_sending(sending: Sending) -> None:
    """See to it that posts can be made so.

    Raises:
        InvalidRequestError: They cannot.
    """
    if sending.signatures not in SIGNATURES:
        raise InvalidRequestError('signatures are ["v1"] or ["v1", "v1a"].')
    _check_headers(sending.headers)
    if sending.credentials is not None:
        _check_credentials(sending.credentials)
        if any(header.name.lower() == "authorization" for header in sending.headers):
            raise InvalidRequestError("With oauth the header Authorization is ours; leave it out of headers.")


def check_fits(sending: Sending, url: str) -> None:
    """Refuse what nobody would ever be shown: a broker and who polls see no headers, tokens or certificates of ours.

    Raises:
        InvalidRequestError: There is such a thing, and nothing is posted to the URL.
    """
    is_posted = url.lower().startswith(("https://", "http://"))
    if not is_posted and (sending.headers or sending.credentials or sending.certificate):
        raise InvalidRequestError("headers, oauth and client_certificate go with an https:// URL only.")


def check_secrets_stay(before: Sending, old_url: str, new_url: str, given: Collection[str]) -> None:
    """Refuse to show a new host what was given for another: who may change the URL need not know it.

    Args:
        before: How it was told.
        old_url: Where.
        new_url: Where it is to be told.
        given: Which members of `Sending` were given with that.

    Raises:
        InvalidRequestError: Headers or credentials would go to the new host.
    """
    if urlsplit(new_url)[:2] == urlsplit(old_url)[:2]:
        return
    for name, term in (("headers", "headers"), ("credentials", "oauth")):
        if getattr(before, name) and name not in given:
            raise InvalidRequestError(f"With another host in url, {term} must be given again, or emptied.")


def _check_headers(headers: Sequence[StaticHeader]) -> None:
    if len(headers) > MOST_HEADERS:
        raise InvalidRequestError(f"There are at most {MOST_HEADERS} headers.")
    names = [header.name.lower() for header in headers]
    if len(set(names)) != len(names):
        raise InvalidRequestError("No header may be given twice, in whichever case.")
    for name, header in zip(names, headers, strict=True):
        if len(name) > LONGEST_HEADER_NAME or not _TOKEN.fullmatch(name):
            raise InvalidRequestError(
                f"A header's name has 1 to {LONGEST_HEADER_NAME} letters, digits and a few signs, - among them."
            )
        if name in _OURS or name.startswith(_OUR_PREFIXES):
            raise InvalidRequestError(f"The header {header.name} is set by the connection or by us; leave it out.")
        if len(header.value) > LONGEST_HEADER_VALUE or not _VALUE.fullmatch(header.value):
            raise InvalidRequestError(
                f"The value of the header {header.name} must have 1 to {LONGEST_HEADER_VALUE} visible ASCII characters, with "
                "blanks only inside."
            )


def _check_credentials(credentials: ClientCredentials) -> None:
    for name, text in (("client_id", credentials.client_id), ("client_secret", credentials.client_secret)):
        if len(text) > LONGEST_CREDENTIAL or not _CREDENTIAL.fullmatch(text):
            raise InvalidRequestError(f"{name} has 1 to {LONGEST_CREDENTIAL} printable ASCII characters.")
    scope = credentials.scope
    if scope is not None and (len(scope) > LONGEST_CREDENTIAL or not _SCOPE.fullmatch(scope)):
        raise InvalidRequestError(
            f"scope is words of visible ASCII with one blank between, {LONGEST_CREDENTIAL} at most."
        )
