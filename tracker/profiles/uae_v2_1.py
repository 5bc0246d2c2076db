"""UAE Open Finance, the v2.1 line: its kinds of consent, their moves, how its events come.

`uae_v2_1_wire` reads its messages.

Spec: account information v2.1-errata2, bank initiation v2.1-errata2, insurance v2.1-errata1: `servers`, `paths`,
`security` and the media types of each GET of one consent. Webhook template v2.1-errata2. TPP standards v2.1, "Consent
States".
Conflict: the states page's diagram has neither AwaitingAuthorization → Revoked nor → Expired; the OpenAPI descriptions
and the providers' guides have them. Both are allowed.
Conflict: the status enums of account-access consents and of events have `Consumed`, the prose gives it to payments
alone, and insurance's enum lacks it. It is a payment's alone here, so that on another kind it raises a doubt.
Conflict: in OpenAPI only Authorized and AwaitingAuthorization may be revoked, the page on consent management asks for
Suspended too. All three are allowed.
Conflict: that the deletion of an ended consent's data must be attested within 45 days is in the draft of v2.2 (OFP-005)
alone, for all kinds. Here payments, under which next to no data are read, need not be.
Conflict: some versions' insurance tokens want `openid insurance`, this one's `insurance`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from tracker.domain.consent import Status
from tracker.domain.moves import Rules
from tracker.profiles import uae_v2_1_around as around
from tracker.profiles.around import Granted, Labels, Shown
from tracker.profiles.profile import Event, Kind, Profile, Push, Refusal, RevokeCall, Snapshot
from tracker.profiles.uae_v2_1_limits import is_single, read_limits
from tracker.profiles.uae_v2_1_revoke import REVOKED_BY_US, REVOKERS, may_be_paused, revoke_call
from tracker.profiles.uae_v2_1_wire import consent_id_of, open_answer, read_consent, read_event, read_refusal

_SHARING_MOVES: Final[Mapping[Status, frozenset[Status]]] = {
    Status.NOT_STAGED: frozenset(
        {
            Status.AWAITING_AUTHORIZATION,
            Status.AUTHORIZED,
            Status.SUSPENDED,
            Status.REJECTED,
            Status.EXPIRED,
            Status.REVOKED,
        }
    ),
    Status.AWAITING_AUTHORIZATION: frozenset({Status.AUTHORIZED, Status.REJECTED, Status.EXPIRED, Status.REVOKED}),
    Status.AUTHORIZED: frozenset({Status.SUSPENDED, Status.EXPIRED, Status.REVOKED}),
    Status.SUSPENDED: frozenset({Status.AUTHORIZED, Status.EXPIRED, Status.REVOKED}),
}
_PAYMENT_MOVES: Final[Mapping[Status, frozenset[Status]]] = {
    **_SHARING_MOVES,
    Status.NOT_STAGED: _SHARING_MOVES[Status.NOT_STAGED] | {Status.CONSUMED},
    Status.AUTHORIZED: _SHARING_MOVES[Status.AUTHORIZED] | {Status.CONSUMED},
}

_SIGNED_ONLY: Final = "application/jwt"
_SIGNED_FIRST: Final = "application/jwt, application/json;q=0.5"

_ATTEST_WITHIN: Final = timedelta(days=45)
_STATUS_MEMBERS: Final = frozenset({"Status", "StatusUpdateDateTime", "RevokedBy"})

_KINDS: Final = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Kind(
                name="account-access",
                rules=Rules(moves=_SHARING_MOVES),
                path="/open-finance/account-information/{api_version}/account-access-consents",
                scope="openid accounts",
                accept=_SIGNED_FIRST,
                must_be_signed=False,
                status_members=_STATUS_MEMBERS,
                attest_within=_ATTEST_WITHIN,
                revokers=REVOKERS,
                revoked_by_us=REVOKED_BY_US,
            ),
            Kind(
                name="payment",
                rules=Rules(moves=_PAYMENT_MOVES),
                path="/open-finance/payment/{api_version}/payment-consents",
                scope="openid payments",
                accept=_SIGNED_ONLY,
                must_be_signed=True,
                status_members=_STATUS_MEMBERS,
                is_single=is_single,
                read_limits=read_limits,
                revokers=REVOKERS,
                revoked_by_us=REVOKED_BY_US,
            ),
            Kind(
                name="insurance",
                rules=Rules(moves=_SHARING_MOVES),
                path="/open-finance/insurance/{api_version}/insurance-consents",
                scope="insurance",
                accept=_SIGNED_FIRST,
                must_be_signed=False,
                status_members=_STATUS_MEMBERS,
                attest_within=_ATTEST_WITHIN,
                revokers=REVOKERS,
                revoked_by_us=REVOKED_BY_US,
            ),
        )
    }
)
_PUSH: Final = Push(
    jwe_algs=frozenset({"RSA-OAEP-256"}),
    jwe_encs=frozenset({"A256GCM"}),
    jws_algs=frozenset({"PS256"}),
    max_body_bytes=64 * 1024,
    accepted_status=202,
)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class UaeOpenFinance:
    """The rules of UAE Open Finance. Its versions differ in the facts kept here, not in how messages are read."""

    name: str
    default_api_version: str
    kinds: Mapping[str, Kind]
    push: Push

    def read_event(self, claims: Mapping[str, Any]) -> Event:
        """Read the claims of an event; see `uae_v2_1_wire.read_event`."""
        return read_event(claims)

    def consent_id_of(self, claims: Mapping[str, Any]) -> str | None:
        """Which consent an event names; see `uae_v2_1_wire.consent_id_of`."""
        return consent_id_of(claims)

    def read_consent(self, kind: str, body: Mapping[str, Any]) -> Snapshot:
        """Read an answer about one consent; all kinds have the same form. See `uae_v2_1_wire.read_consent`.

        Raises:
            ValueError: There is no such kind: the caller's mistake, not the holder's.
        """
        if kind not in self.kinds:
            raise ValueError(f"{self.name} has no kind of consent called {kind!r}.")
        return read_consent(body)

    def open_answer(self, claims: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take the envelope off a signed answer; see `uae_v2_1_wire.open_answer`."""
        return open_answer(claims)

    def revoke_call(self, kind: str, revoked_by: str) -> RevokeCall:
        """Say how a consent is revoked; see `uae_v2_1_revoke.revoke_call`.

        Raises:
            ValueError: There is no such kind, or it does not know such a revoker.
        """
        if kind not in self.kinds or revoked_by not in self.kinds[kind].revokers:
            raise ValueError(f"{self.name} has no {kind!r} consents that {revoked_by!r} could revoke.")
        return revoke_call(revoked_by, must_be_signed=self.kinds[kind].must_be_signed)

    def may_be_paused(self, kind: str, terms: Mapping[str, Any] | None) -> bool:
        """Whether a pause has a meaning; see `uae_v2_1_revoke.may_be_paused`."""
        return kind in self.kinds and may_be_paused(terms)

    def read_refusal(self, document: object) -> Refusal:
        """Read an error; see `uae_v2_1_wire.read_refusal`."""
        return read_refusal(document)

    def end_after_error(self, error: str, error_description: str | None) -> Status | None:
        """The end that a failed authorization may have brought; see `uae_v2_1_around`."""
        return around.end_after_error(error, error_description)

    def end_after_refusal(self, status: int, code: str | None) -> Status | None:
        """The end that a refused call for data may tell of; see `uae_v2_1_around`."""
        return around.end_after_refusal(status, code)

    def read_granted(self, details: object) -> Granted:
        """Read what came with a token; see `uae_v2_1_around.read_granted`."""
        return around.read_granted(details)

    def labels(self, shown: Shown) -> Labels | None:
        """The words for customers; see `uae_v2_1_around.labels`."""
        return around.labels(shown)


UAE_V2_1: Final[Profile] = UaeOpenFinance(name="uae-v2.1", default_api_version="v2.1", kinds=_KINDS, push=_PUSH)
