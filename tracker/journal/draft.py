"""What is known of an entry before it has a place in the journal. What can be wrong with it shows when it is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from tracker.journal.leaf import is_base64url_sha256, is_hex_sha256, is_type, is_uuid
from tracker.journal.private import private_digest

_NAMESPACE = UUID("1d0d1f6c-6e0b-5b8e-9c0e-5f5a3c1b7a42")


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
        tracking_id: Our own key of the consent, a UUID; None where the entry is about no consent, but about a subscription or
            else the provider itself. Then there is no kind, no consent id and no evidence, and no flag is set.
        subscription_id: The subscription that the entry is about, a UUID; such an entry has no provider.
        journal_id: The journal itself, where the entry is about that, a UUID; likewise.
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
    provider: str | None = None
    tracking_id: str | None = None
    subscription_id: str | None = None
    journal_id: str | None = None
    consent_id: str | None = None
    kind: str | None = None
    from_status: str | None = None
    to_status: str | None = None
    status_date_time: datetime | None = None
    received_at: datetime | None = None
    channel: str | None = None
    late: bool = False
    corrected: bool = False
    inferred: bool = False
    confirmed: bool = False
    revoked_by: str | None = None
    reason: str | None = None
    usable: bool = False
    evidence: tuple[Evidence, ...] = ()
    private: Mapping[str, Any] | None = None
    private_salt: bytes | None = field(default=None, repr=False)
    private_digest: str | None = field(init=False)

    def __post_init__(self) -> None:
        if not is_uuid(self.id):
            raise ValueError("An entry's id is a UUID in lower case.")
        self._check_subject()
        if not is_type(self.type):
            raise ValueError("An entry's type is lower-case words with dots between.")
        digest = None
        if self.private is not None and self.private_salt is not None:
            digest = private_digest(self.private, self.private_salt)
        elif self.private is not None or self.private_salt is not None:
            raise ValueError("A private value needs a salt, and a salt a private value.")
        object.__setattr__(self, "private_digest", digest)  # the one way to compute a field of a frozen dataclass

    def _check_subject(self) -> None:
        if self.tracking_id is not None:
            if not is_uuid(self.tracking_id) or self.provider is None or self.kind is None:
                raise ValueError("A consent has a tracking id, which is a UUID in lower case, a provider and a kind.")
            return
        ids = [one for one in (self.subscription_id, self.journal_id) if one is not None]
        if len(ids) + (self.provider is not None) != 1 or not all(map(is_uuid, ids)):
            raise ValueError(
                "What is about no consent is about a subscription or the journal, whose id is a UUID, or about a provider."
            )
        flags = (self.late, self.corrected, self.inferred, self.confirmed, self.usable)
        if any(flags) or self.consent_id is not None or self.kind is not None or self.evidence:
            raise ValueError("What is about no consent says nothing of one.")

    @property
    def subject(self) -> str:
        """What the entry is about."""
        if self.tracking_id is not None:
            return f"{self.provider}/{self.tracking_id}"
        if self.journal_id is not None:
            return f"journal/{self.journal_id}"
        return f"provider/{self.provider}" if self.subscription_id is None else f"subscription/{self.subscription_id}"

    @property
    def lane(self) -> str:
        """See `lane_of`."""
        return lane_of(self.tracking_id, self.subject)


def lane_of(tracking_id: str | None, subject: str) -> str:
    """Whose order an entry keeps, as a UUID: that of its consent, or else one made of the subject."""
    return str(uuid5(_NAMESPACE, subject)) if tracking_id is None else tracking_id
