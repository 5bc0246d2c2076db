"""Anything that a store may be given."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from tests.contract.facts import IDS, digest
from tracker.domain.announced import NOTHING, Announced
from tracker.domain.consent import Channel, ConsentId, ProviderId, Status, TrackingId
from tracker.domain.decision import Decision
from tracker.domain.journey import Authorization, Authorizers, Journey
from tracker.domain.lifecycle import Told, Verdict
from tracker.domain.manner import Attempts, Manner, Order
from tracker.domain.noticed import Deadline, Noticed, Noticing
from tracker.domain.overlay import Overlay, Revocation, RevocationState
from tracker.domain.payment import Payment, PaymentOutcome
from tracker.domain.report import Report
from tracker.domain.standing import Summary
from tracker.domain.subscription import EntryFilter, Parked, RetiredSecret, Subscription, SubscriptionState
from tracker.domain.tracked import Asking, TrackedConsent
from tracker.journal.entry import Draft
from tracker.ports import ApiKey, Evidence, InboxItem, StoredReport, Token

zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_FIRST, _LAST = datetime.fromisoformat("1970-01-02"), datetime.fromisoformat("9998-12-31")
times = st.datetimes(_FIRST, _LAST, timezones=zones | st.just(UTC))
any_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)  # no door lets NUL in
counts = st.integers(0, 2**31 - 1)
statuses = st.sampled_from(Status)
channels = st.sampled_from(Channel)
digests = st.builds(lambda: digest(IDS.random()))
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | any_texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_texts, inner, max_size=3),
    max_leaves=8,
)
json_objects = st.dictionaries(any_texts, json_values, max_size=4)
maybe_times = st.none() | times
maybe_texts = st.none() | texts
permissions = st.lists(texts, max_size=3).map(tuple)
fresh = st.builds(IDS.ordered)  # what is in the store from the examples before must not be in the way
providers = st.sampled_from(["demobank", "otherbank"]).map(ProviderId)
consent_ids = st.builds(IDS.random).map(ConsentId)


reports = st.builds(
    Report,
    digest=digests,
    channel=channels,
    status=statuses,
    status_date_time=times,
    received_at=times,
    recorded_at=times,
    asks=counts,
    asked_at=maybe_times,
    ask=st.none() | counts,
    expiration_date_time=maybe_times,
    revoked_by=maybe_texts,
    raw_status=maybe_texts,
)

summaries = st.builds(
    Summary,
    asks=counts,
    standing=st.lists(reports, max_size=3).map(tuple),
    revived_date_time=maybe_times,
    end_hinted_at_ask=st.none() | counts,
)

noticed = st.builds(
    Noticed,
    deadline=st.sampled_from(Deadline),
    ends_at=times,
    before=st.integers(1, 10_000 * 24).map(lambda hours: timedelta(hours=hours)),
)

revocations = st.builds(
    Revocation,
    revoked_by=texts,
    requested_at=times,
    state=st.sampled_from(RevocationState),
    attempts=counts,
    sent_at=maybe_times,
    answer=maybe_texts,
    unanswered=counts,
    failures=counts,
    due_at=maybe_times,
    leased_until=maybe_times,
    last_error=maybe_texts,
)

journeys = st.builds(
    Journey,
    pushed_at=maybe_times,
    push_accepted=st.none() | st.booleans(),
    request_expires_at=maybe_times,
    returned_at=maybe_times,
    code_received=st.none() | st.booleans(),
    error=maybe_texts,
    error_description=maybe_texts,
    token_at=maybe_times,
    overdue_at=maybe_times,
    given_up_at=maybe_times,
)

authorizers = st.builds(
    Authorizers,
    total_required=st.none() | counts,
    authorizations=st.lists(
        st.builds(
            Authorization,
            authorizer_id=maybe_texts,
            authorizer_type=maybe_texts,
            status=texts,
            date_time=maybe_times,
        ),
        max_size=3,
    ).map(tuple),
    approved=counts,
    is_waiting=st.booleans(),
)

outcomes = st.sampled_from(PaymentOutcome)

payments = st.builds(
    Payment,
    provider=providers,
    payment_id=fresh,
    consent_id=consent_ids,
    status=texts,
    outcome=outcomes,
    is_final=st.booleans(),
    status_date_time=times,
    creation_date_time=maybe_times,
    transaction_id=maybe_texts,
    reject_codes=permissions,
    amount=maybe_texts,
    currency=maybe_texts,
    received_at=times,
    recorded_at=times,
    jws_sha256=digests,
    jwe_sha256=st.none() | digests,
    kid=texts,
    jwk_thumbprint=digests,
)

consents = st.builds(
    TrackedConsent,
    tracking_id=fresh.map(TrackingId),
    provider=providers,
    consent_id=consent_ids,
    profile=texts,
    client_id=texts,
    kind=texts,
    registered_at=times,
    registered_expiry=maybe_times,
    imported=st.booleans(),
    summary=summaries,
    told=st.builds(Told, status=statuses, confirmed=st.booleans(), usable=st.booleans()),
    judged_at=maybe_times,
    overlay=st.builds(Overlay, paused=st.booleans(), revocation=st.none() | revocations),
    asking=st.builds(
        Asking,
        asked_at=maybe_times,
        leased_until=maybe_times,
        requested_at=maybe_times,
        failures=counts,
        not_before=maybe_times,
        doubted_at=maybe_times,
        suspected_at=maybe_times,
        siblings_wanted_at=maybe_times,
        expiry_told_at=maybe_times,
    ),
    noticing=st.builds(
        Noticing,
        told=st.lists(noticed, max_size=3).map(tuple),
        overlaps_told=st.lists(fresh.map(TrackingId), max_size=3).map(tuple),
        has_successors=st.booleans(),
        is_succeeded=st.booleans(),
        look_at=maybe_times,
    ),
    learned_at=maybe_times,
    confirmed_at=maybe_times,
    confirmed_by=st.none() | channels,
    revoked_by=maybe_texts,
    base_consent_id=maybe_texts,
    user_ref=maybe_texts,
    permissions=permissions,
    terms=st.none() | json_objects,
    creation_date_time=maybe_times,
    authorization_expiration_date_time=maybe_times,
    journey=journeys,
    authorizers=st.none() | authorizers,
    payment_outcome=st.none() | outcomes,
    payment_date_time=maybe_times,
    last_sequence=st.none(),
    version=counts,
    updated_at=times,
)

decisions = st.builds(Decision, status=statuses, since=maybe_times, expiration_date_time=maybe_times, report=st.none())

stored_reports = st.builds(
    StoredReport,
    report=reports,
    provider=providers,
    consent_id=consent_ids,
    tracking_id=fresh.map(TrackingId),
    event_type=maybe_texts,
    event_date_time=maybe_times,
    vouched_at=times,
    terms=json_objects,
    permissions=st.none() | permissions,
    creation_date_time=maybe_times,
    authorization_expiration_date_time=maybe_times,
    base_consent_id=maybe_texts,
    jws_sha256=st.none() | digests,
    jwe_sha256=st.none() | digests,
    kid=maybe_texts,
    jwk_thumbprint=maybe_texts,
    zone_assumed=st.booleans(),
    verdict=st.none() | st.sampled_from(Verdict),
)

evidences = st.builds(
    Evidence,
    jws_sha256=digests,
    jwe_sha256=st.none() | digests,
    provider=fresh.map(ProviderId),
    token=st.builds(
        Token, jws=st.binary(max_size=60), kid=texts, jwk=json_objects, jwk_thumbprint=digests, jwks_uri=texts
    ),
    received_at=times,
)

items = st.builds(
    InboxItem,
    id=fresh,
    profile=texts,
    body=st.binary(max_size=60),
    received_at=times,
    interaction_id=texts,
    attempts=counts,
)

subscriptions = st.builds(
    Subscription,
    id=fresh,
    url=texts,
    entry_filter=st.builds(
        EntryFilter,
        types=permissions,
        provider=st.frozensets(texts, max_size=3),
        kind=st.frozensets(texts, max_size=3),
        to=st.frozensets(texts, max_size=3),
    ),
    secret=texts,
    description=texts,
    include_private=st.booleans(),
    cursor=st.integers(0, 2**53),
    state=st.sampled_from(SubscriptionState),
    failing_since=maybe_times,
    failures=counts,
    next_attempt_at=maybe_times,
    last_delivered_at=maybe_times,
    last_error=maybe_texts,
    created_at=times,
    version=st.integers(1, 3),
    paused_at=maybe_times,
    retired_secrets=st.lists(st.builds(RetiredSecret, secret=texts, until=times), max_size=3).map(tuple),
    manner=st.builds(
        Manner,
        order=st.sampled_from(Order),
        most_in_flight=st.integers(1, 64),
        attempts=st.builds(
            Attempts,
            alone_seconds=st.lists(counts, max_size=3).map(tuple),
            down_seconds=st.lists(counts, max_size=3).map(tuple),
            disable_after_seconds=counts,
        ),
    ),
    announced=st.just(NOTHING) | st.builds(Announced, percent=st.sampled_from([50, 100]), failing_since=maybe_times),
)

parked_entries = st.builds(
    Parked,
    sequence=st.integers(1, 2**53),
    tracking_id=fresh,
    attempts=counts,
    next_attempt_at=times,
    last_error=maybe_texts,
    is_unordered=st.booleans(),
)

api_keys = st.builds(
    ApiKey,
    id=digests.map(lambda text: text[:16]),
    name=texts,
    secret_sha256=digests,
    scopes=st.frozensets(st.sampled_from(["read", "write", "audit", "admin"])),
    created_at=times,
    expires_at=maybe_times,
    revoked_at=maybe_times,
)


@st.composite
def drafts(draw: st.DrawFn) -> Draft:
    private: dict[str, Any] | None = draw(st.none() | json_objects)
    return Draft(
        id=draw(fresh),
        type=draw(st.sampled_from(["consent.registered", "consent.status_changed"])),
        provider=draw(providers),
        tracking_id=draw(fresh),
        consent_id=draw(st.none() | consent_ids),
        kind=draw(texts),
        from_status=draw(maybe_texts),
        to_status=draw(maybe_texts),
        status_date_time=draw(maybe_times),
        received_at=draw(maybe_times),
        channel=draw(st.none() | channels),
        confirmed=draw(st.booleans()),
        usable=draw(st.booleans()),
        private=private,
        private_salt=None if private is None else draw(st.binary(min_size=32, max_size=32)),
    )
