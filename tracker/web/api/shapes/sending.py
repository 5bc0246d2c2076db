"""How a subscriber wants to be told, over the wire. What is secret goes in and never comes out."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import Field, StringConstraints

from tracker.domain.sending import (
    AS_USUAL,
    ED25519,
    HMAC,
    LONGEST_CREDENTIAL,
    LONGEST_HEADER_NAME,
    LONGEST_HEADER_VALUE,
    MOST_HEADERS,
    ClientCredentials,
    Sending,
    StaticHeader,
)
from tracker.web.api.shapes.fields import In, Out

_Signatures = Annotated[tuple[Literal["v1", "v1a"], ...], Field(min_length=1, max_length=2, strict=False)]
_HeaderName = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_HEADER_NAME)]
_HeaderValue = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_HEADER_VALUE)]
_Headers = Annotated[dict[_HeaderName, _HeaderValue], Field(max_length=MOST_HEADERS)]
_CertificateName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
_Credential = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_CREDENTIAL)]


class OAuthIn(In):
    """OAuth 2 client credentials, for an access token that each post shows as `Authorization: Bearer`."""

    token_url: Annotated[str, StringConstraints(min_length=1, max_length=2048)] = Field(
        description="Where tokens are fetched, with HTTP Basic; it may lead where a subscription's URL may."
    )
    client_id: _Credential
    client_secret: _Credential = Field(description="Never shown again.")
    scope: _Credential | None = None

    def credentials(self) -> ClientCredentials:
        """As the domain has them."""
        return ClientCredentials(
            token_url=self.token_url,
            client_id=self.client_id,
            client_secret=self.client_secret,
            scope=self.scope,
        )


class SendingIn(In):
    """How a subscriber wants to be told."""

    signatures: _Signatures = Field(
        (HMAC,),
        description='`["v1"]`: by the secret; `["v1", "v1a"]`: also by our own Ed25519 key, see `/v1/notification-keys`.',
    )
    headers: _Headers = Field(
        default_factory=dict, description="Sent with every post; all of them. Their values are never shown again."
    )
    oauth: OAuthIn | None = Field(default=None, description="Fetch access tokens and show them; null: do not.")
    client_certificate: _CertificateName | None = Field(
        default=None,
        description="The name of a `[[client_certificate]]` of the configuration, to be shown; null: none.",
    )

    def sending_changes(self) -> Mapping[str, Any]:
        """What of this was sent, as the members of `Sending`."""
        sent, changes = self.model_fields_set, dict[str, Any]()
        if "signatures" in sent:
            changes["signatures"] = (HMAC, ED25519) if set(self.signatures) == {HMAC, ED25519} else self.signatures
        if "headers" in sent:
            changes["headers"] = tuple(StaticHeader(name, value) for name, value in self.headers.items())
        if "oauth" in sent:
            changes["credentials"] = None if self.oauth is None else self.oauth.credentials()
        if "client_certificate" in sent:
            changes["certificate"] = self.client_certificate
        return changes

    def sending(self) -> Sending:
        """All of this, as usual where nothing was sent."""
        return AS_USUAL.with_changes(self.sending_changes())


class OAuthOut(Out):
    """With what access tokens are fetched."""

    token_url: str
    client_id: str
    scope: str | None


class SendingOut(Out):
    """How a subscriber is told."""

    signatures: tuple[Literal["v1", "v1a"], ...]
    headers: tuple[str, ...] = Field(description="The names of what is sent with every post.")
    oauth: OAuthOut | None
    client_certificate: str | None


def sending_facts(sending: Sending) -> dict[str, Any]:
    """The members of `SendingOut`."""
    credentials = sending.credentials
    return {
        "signatures": cast("Any", sending.signatures),
        "headers": tuple(header.name for header in sending.headers),
        "oauth": None
        if credentials is None
        else OAuthOut(token_url=credentials.token_url, client_id=credentials.client_id, scope=credentials.scope),
        "client_certificate": sending.certificate,
    }
