"""Open one event: decrypt, find out who says to have signed it, verify that with that issuer's keys, read it.

Order matters. The key that decrypts names the client; the unverified issuer together with this client names at most one
provider; only that provider's keys may verify. Then the claims, as of the time of receipt; and only then is a consent
looked up, under that provider: no holder can speak for another's consents.

Synchronous and CPU-bound: it runs in threads, and asks for keys that are not at hand instead of fetching them.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tracker.domain.consent import Channel, ConsentId, is_consent_id
from tracker.domain.errors import RejectedEventError, UntrustedEventError
from tracker.journal.canonical import NotCanonicalError
from tracker.ports import (
    MOST_KEYS_SHOWN,
    EventCrypto,
    Evidence,
    HolderKeys,
    InboxItem,
    Name,
    OtherEvent,
    Provider,
    Quarantined,
    Verification,
)
from tracker.profiles.compact import JWE_PARTS, JWS_PARTS, decoded, protected_header, read_claims, take_apart
from tracker.profiles.profile import Event, Family, Profile, UnreadableMessageError
from tracker.usecases.claims import check_claims, issued_at
from tracker.usecases.heard import HeardOther, HeardReport, Refused, from_snapshot, meaning
from tracker.usecases.providers import Providers


@dataclass(frozen=True, slots=True)
class NeedsKey:
    """The event names a key of a provider that is not at hand.

    Attributes:
        provider: Whose it says to be.
        kid: The key.
        our_kid: The key of ours that opened it.
        asks_about: The consent that it claims to be about.
    """

    provider: Provider
    kid: str
    our_kid: str
    asks_about: Name | None


Outcome = HeardReport | HeardOther | Refused | NeedsKey


@dataclass(slots=True)
class _Tried:
    """How far opening came: what is kept with an event that is put aside, for whoever looks into it.

    Attributes:
        our_kid: The key of ours that it names.
        provider: Whose it says to be.
        kid: The holder's key that it names.
        keys_at_hand: The holder's keys that there were.
        verified: Whether the holder's signature held, and the claims around it.
    """

    our_kid: str | None = None
    provider: Provider | None = None
    kid: str | None = None
    keys_at_hand: tuple[str, ...] | None = None
    verified: bool = False


class Opener:
    """Opens events."""

    def __init__(self, providers: Providers, crypto: EventCrypto, keys: HolderKeys) -> None:
        self._providers = providers
        self._crypto = crypto
        self._keys = keys

    def open(self, item: InboxItem) -> Outcome:
        """Open one event. Never raises for what is wrong with the event; that is an outcome."""
        profile = self._providers.profiles.get(item.profile)
        if profile is None:  # it was configured when the event came
            return Refused(quarantined=_quarantined(item, "gate", "profile_not_configured", _Tried()))
        tried = _Tried()
        try:
            return self._open(item, profile, tried)
        except RejectedEventError as error:
            if tried.our_kid is None:
                tried.our_kid = _encrypted_for(item.body)
            return Refused(quarantined=_quarantined(item, error.step, error.reason, tried))

    def refuse_for_key(self, item: InboxItem, needs: NeedsKey, reason: str) -> Refused:
        """Give up on an event whose key cannot be had. It may be genuine, so it makes us ask."""
        tried = _Tried(needs.our_kid, needs.provider, needs.kid, self._at_hand(needs.provider))
        return Refused(quarantined=_quarantined(item, "verify", reason, tried), asks_about=needs.asks_about)

    def _at_hand(self, provider: Provider) -> tuple[str, ...]:
        return self._keys.at_hand(provider)[:MOST_KEYS_SHOWN]

    def _open(self, item: InboxItem, profile: Profile, tried: _Tried) -> Outcome:
        decrypted = self._crypto.decrypt(item.body, profile.push)
        tried.our_kid = decrypted.kid
        jws = decrypted.plaintext.strip()
        signed = take_apart(jws, JWS_PARTS)
        tried.kid = kid = signed.header["kid"]
        unverified = read_claims(decoded(signed.pieces[1]))
        issuer = unverified.get("iss")
        provider = self._providers.of_issuer(issuer, decrypted.client_id) if isinstance(issuer, str) else None
        if provider is None or provider.profile is not profile:
            raise UntrustedEventError("issuer_unknown")
        tried.provider = provider
        key = self._keys.find(provider, kid, item.received_at)
        if key is None:
            return NeedsKey(provider, kid, decrypted.kid, _claimed(provider, unverified))
        try:
            self._crypto.check_signature(signed, key, profile.push.jws_algs)
            claims = unverified  # no more: they were read of the bytes whose signature holds
            check_claims(claims, issuer=provider.issuer, client_id=provider.client_id, received_at=item.received_at)
        except RejectedEventError as error:
            # It changes nothing. But it may be genuine, late or signed with a key replaced under its old name.
            tried.keys_at_hand = self._at_hand(provider)
            quarantined = _quarantined(item, error.step, error.reason, tried)
            return Refused(quarantined=quarantined, asks_about=_claimed(provider, unverified))
        tried.verified = True
        evidence = Evidence(
            jws_sha256=hashlib.sha256(jws).hexdigest(),
            jwe_sha256=hashlib.sha256(item.body).hexdigest(),
            provider=provider.id,
            token=key.verified(jws, _verification(signed.header["alg"], claims, item.received_at)),
            received_at=item.received_at,
        )
        try:
            event = profile.read_event(claims)
            digest = meaning(provider.id, event)
        except (UnreadableMessageError, NotCanonicalError) as error:
            reason = error.reason if isinstance(error, UnreadableMessageError) else "not_canonical"
            quarantined = _quarantined(item, "read", reason, tried)
            return Refused(quarantined=quarantined, asks_about=_claimed(provider, claims))
        if event.ids_disagree:
            quarantined = _quarantined(item, "read", "ids_disagree", tried)
            return Refused(quarantined=quarantined, asks_about=_name(provider, event.consent_id))
        return _heard(item, provider, event, digest, evidence, issued_at(claims))


def _heard(
    item: InboxItem, provider: Provider, event: Event, digest: str, evidence: Evidence, issued: float | None
) -> HeardReport | HeardOther:
    if event.family is Family.CONSENT and event.snapshot is not None:
        return from_snapshot(
            event.snapshot,
            provider=provider.id,
            digest=digest,
            channel=Channel.WEBHOOK,
            received_at=item.received_at,
            vouched_at=_vouched_at(item.received_at, event.event_date_time, issued),
            evidence=evidence,
            event=event,
        )
    other = OtherEvent(
        digest=digest,
        provider=provider.id,
        family=event.family.value,
        consent_id=event.consent_id,
        event_type=event.event_type,
        event_date_time=event.event_date_time,
        received_at=item.received_at,
        recorded_at=item.received_at,
        data=event.data,
        jws_sha256=evidence.jws_sha256,
    )
    return HeardOther(
        event=other, evidence=evidence, asks_about=_name(provider, event.consent_id), payment=event.payment
    )


def _verification(alg: str, claims: Mapping[str, Any], received_at: datetime) -> Verification:
    """What `check_claims` found nothing wrong with."""
    audience = claims["aud"]
    return Verification(
        at=received_at,
        alg=alg,
        issuer=claims["iss"],
        audience=(audience,) if isinstance(audience, str) else tuple(audience),
        checks=("signature", "iss", "aud", "exp", *(("nbf",) if "nbf" in claims else ())),
    )


def _vouched_at(received_at: datetime, event_date_time: datetime, issued: float | None) -> datetime:
    """The earliest instant that the event speaks of: nobody vouched for anything later."""
    times = [received_at, event_date_time]
    if issued is not None and 0 <= issued <= received_at.timestamp():
        times.append(datetime.fromtimestamp(issued, UTC))
    return min(times)


def _claimed(provider: Provider, claims: Mapping[str, Any]) -> Name | None:
    """Which consent an event claims to be about, if that much of it can be read."""
    return _name(provider, provider.profile.consent_id_of(claims))


def _name(provider: Provider, consent_id: str | None) -> Name | None:
    return (provider.id, ConsentId(consent_id)) if consent_id is not None and is_consent_id(consent_id) else None


def _encrypted_for(body: bytes) -> str | None:
    """The key of ours that an event names, as the door saw it."""
    try:
        kid: str = protected_header(body, JWE_PARTS)["kid"]
    except RejectedEventError:
        return None
    return kid


def _quarantined(item: InboxItem, step: str, reason: str, tried: _Tried) -> Quarantined:
    return Quarantined(
        id=item.id,
        profile=item.profile,
        step=step,
        reason=reason,
        verified=tried.verified,
        body=item.body,
        received_at=item.received_at,
        quarantined_at=item.received_at,
        interaction_id=item.interaction_id,
        provider=None if tried.provider is None else tried.provider.id,
        kid=tried.kid,
        our_kid=tried.our_kid,
        keys_at_hand=tried.keys_at_hand,
        retries=item.retries,
    )
