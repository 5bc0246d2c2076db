"""What is known of an entry before it has a place in the journal. What can be wrong with it shows when it is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tracker.journal.leaf import is_base64url_sha256, is_hex_sha256, is_type, is_uuid
from tracker.journal.private import private_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What an entry rests on. The tokens themselves are kept elsewhere; here is what names them.

    Attributes:
        channel: How it reached us.
        signed: Whether the holder signed it.
        jws_sha256: Hex SHA-256 of the holder's signed token, as received; always there when signed.
        jwe_sha256: Hex SHA-256 of the encrypted body around it, as received; None if it came without.
        kid: The holder's name of the key that verified it.
        jwk_thumbprint: RFC 7638 SHA-256 thumbprint of that key, base64url.
    """

    channel: str
    signed: bool
    jws_sha256: str | None = None
    jwe_sha256: str | None = None
    kid: str | None = None
    jwk_thumbprint: str | None = None

    def __post_init__(self) -> None:
        for name, digest in (("jws_sha256", self.jws_sha256), ("jwe_sha256", self.jwe_sha256)):
            if digest is not None and not is_hex_sha256(digest):
                raise ValueError(f"{name} is a SHA-256 in lower-case hex.")
        if self.jwk_thumbprint is not None and not is_base64url_sha256(self.jwk_thumbprint):
            raise ValueError("jwk_thumbprint is a SHA-256 in base64url without padding.")
        if self.signed and self.jws_sha256 is None:
            raise ValueError("Signed evidence names its token.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is known of an entry before it has a place. All times are aware.

    Attributes:
        id: UUID of the entry, the same wherever it goes.
        type: What happened, such as `consent.status_changed`.
        provider: The data holder as the configuration names it.
        tracking_id: Our own key of the consent, a UUID.
        consent_id: What the holder calls it; None while it has no name.
        kind: Its kind, in the profile's words.
        from_status: The effective status told before; None where the entry tells of no status.
        to_status: The effective status told by this.
        status_date_time: Since when, by the holder's clock.
        received_at: When we had the whole of the report; None where no report caused it.
        channel: How the report reached us; `clock` and `operator` are ours.
        late: The report is older than what was known.
        corrected: It puts another end in the place of one told before.
        inferred: What the clock says and the holder has not said yet.
        confirmed: The status is the holder's own word.
        revoked_by: Who revoked, in the holder's words.
        reason: A code, never free text.
        usable: Whether the consent may be used from here on.
        evidence: What it rests on.
        private: What says something about a person; JSON. It stays out of the leaf.
        private_salt: 32 random bytes, with `private` only.
        private_digest: Made from those two, so that a value without a canonical form is refused here and not
            while the journal's head is held.

    Raises (when made):
        ValueError: An id or type is not of its form, or private value and salt are not there together.
        NotCanonicalError: `private` has no canonical form.
    """

    id: str
    type: str
    provider: str
    tracking_id: str
    consent_id: str | None
    kind: str
    from_status: str | None
    to_status: str | None
    status_date_time: datetime | None
    received_at: datetime | None
    channel: str | None
    late: bool = False
    corrected: bool = False
    inferred: bool = False
    confirmed: bool
    revoked_by: str | None = None
    reason: str | None = None
    usable: bool
    evidence: tuple[Evidence, ...] = ()
    private: Mapping[str, Any] | None = None
    private_salt: bytes | None = field(default=None, repr=False)
    private_digest: str | None = field(init=False)

    def __post_init__(self) -> None:
        if not is_uuid(self.id) or not is_uuid(self.tracking_id):
            raise ValueError("An entry's id and its tracking id are UUIDs in lower case.")
        if not is_type(self.type):
            raise ValueError("An entry's type is lower-case words with dots between.")
        digest = None
        if self.private is not None and self.private_salt is not None:
            digest = private_digest(self.private, self.private_salt)
        elif self.private is not None or self.private_salt is not None:
            raise ValueError("A private value needs a salt, and a salt a private value.")
        object.__setattr__(self, "private_digest", digest)  # the one way to compute a field of a frozen dataclass
