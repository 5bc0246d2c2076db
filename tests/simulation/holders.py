"""The simulated holder's API, its keys and its events' envelopes: what stands behind `HolderApi`, `HolderKeys`, `EventCrypto`.

Answers are true to the lives of the consents, but for the weather: there may be none, a 5xx, a 429, or one that is read from
a copy that lags behind. Every question is counted, against an account of the budget that is kept apart from the tracker's.
"""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, Final

from tests.simulation.chance import Scenario, is_in
from tests.simulation.holder import DUBAI, SECOND, Life
from tests.simulation.simulated_time import SimulatedClock
from tracker.domain.consent import ConsentId, Status
from tracker.domain.errors import ConsentApiUnavailableError, ConsentNotStagedError
from tracker.ports import Answer, Decrypted, Provider, Token, VerificationKey
from tracker.profiles.compact import Compact
from tracker.profiles.profile import Kind, Push

CLIENT_ID: Final = "tpp-client-001"
_KEY: Final = VerificationKey(
    kid="sig-1", key=None, jwk={"kty": "RSA"}, jwk_thumbprint="A" * 43, jwks_uri="https://keys.example/jwks"
)
_TIMEOUT_SECONDS: Final = 10.0
_TOLERANCE: Final = 1e-3  # of a question: two accounts of one budget are added up in different orders


def issuer_of(provider: str) -> str:
    """What a simulated provider's tokens say."""
    return f"https://auth1.{provider}.example"


@dataclass(slots=True)
class Account:
    """What one provider may be asked, kept by itself: one second's worth at once, the rate after that, so many a day.

    Attributes:
        above_rate: Questions that came faster than that.
        above_day: Questions beyond those of a day.
        while_told_to_wait: Questions sent after an answer that told us to wait, and before the time was over.
        by_day: Questions each day.
    """

    rate: float
    daily: int = 0
    above_rate: int = 0
    above_day: int = 0
    while_told_to_wait: int = 0
    by_day: Counter[date] = field(default_factory=Counter)
    _left: float = field(init=False)
    _filled_at: float = 0.0
    _wait_until: float = 0.0

    def __post_init__(self) -> None:
        self._left = max(1.0, self.rate)

    def ask(self, seconds: float, day: date) -> None:
        """Count a question."""
        self._left = min(max(1.0, self.rate), self._left + (seconds - self._filled_at) * self.rate) - 1
        self._filled_at = seconds
        if self._left < -_TOLERANCE:
            self.above_rate += 1
        self.by_day[day] += 1
        if self.daily and self.by_day[day] > self.daily:
            self.above_day += 1
        if seconds < self._wait_until - _TOLERANCE:
            self.while_told_to_wait += 1

    def wait(self, until: float) -> None:
        """We were told to wait."""
        self._wait_until = max(self._wait_until, until)


Asked = Callable[[Life, str], None]
"""Told of each question when its fate is known: the consent, and `answered`, `stale`, `failed` or `not_staged`."""


class SimulatedHolder:
    """Implements `ports.HolderApi` for one provider."""

    def __init__(self, scenario: Scenario, clock: SimulatedClock, asked: Asked, sent: Callable[[Life], None]) -> None:
        self._scenario = scenario
        self._clock = clock
        self._asked = asked
        self._sent = sent
        self._lives = {life.consent_id: life for life in scenario.lives}
        self._chances: dict[str, Random] = {}
        self.is_calm = False
        """Whether it answers everything at once and truly."""
        self.account = Account(scenario.options.requests_per_second, scenario.options.daily_requests)

    async def read_consent(self, provider: Provider, kind: Kind, consent_id: ConsentId, interaction_id: str) -> Answer:
        """Answer about one consent, if the weather lets us."""
        life = self._lives[consent_id]
        if self.is_calm:
            number = life.record_at(self._clock.now())
            if number is None:
                raise ConsentNotStagedError
            return Answer(body={"Data": life.data(number)}, token=_token(b"answer"))
        chance = self._chances.get(consent_id)
        if chance is None:
            chance = self._chances[consent_id] = Random(f"{self._scenario.options.seed} {consent_id} answers")
        drawn, lag, took = chance.random(), chance.random() * 60 * SECOND, chance.lognormvariate(-1.8, 0.6)
        is_lagging, waits = chance.random() < self._scenario.options.lagging, chance.choice([None, 30, 60, 300])
        now, weather = self._clock.now(), self._scenario.weather
        self.account.ask(self._clock.monotonic(), now.date())
        self._sent(life)
        if is_in(weather.away, now):
            await asyncio.sleep(_TIMEOUT_SECONDS if drawn < 0.3 else took)
            raise self._failed(life, "The holder gave no answer.")
        if is_in(weather.throttled, now):
            await asyncio.sleep(took)
            if waits is not None:
                self.account.wait(self._clock.monotonic() + waits)
            raise self._failed(life, "The holder answered 429.", waits)
        if drawn < self._scenario.options.failing:
            await asyncio.sleep(took)
            raise self._failed(life, "The holder answered 503.")
        await asyncio.sleep(took / 2)
        at = self._clock.now()
        true, seen = life.record_at(at), life.record_at(at - lag if is_lagging else at)
        await asyncio.sleep(took / 2)
        if seen is None:
            self._asked(life, "not_staged")
            raise ConsentNotStagedError
        self._asked(life, "answered" if seen == true else "stale")
        return Answer(body={"Data": life.data(seen)}, token=_token(b"answer"))

    def true_status(self, life: Life) -> Status:
        """What its record says now."""
        number = life.record_at(self._clock.now())
        return Status.NOT_STAGED if number is None else life.moves[number].status

    def _failed(self, life: Life, why: str, waits: float | None = None) -> ConsentApiUnavailableError:
        self._asked(life, "failed")
        return ConsentApiUnavailableError(why, retry_after_seconds=waits)


def _token(jws: bytes) -> Token:
    return Token(jws=jws, kid=_KEY.kid, jwk=_KEY.jwk, jwk_thumbprint=_KEY.jwk_thumbprint, jwks_uri=_KEY.jwks_uri)


# ------------------------------------------------------------------------------------------------ events


def event(provider: str, life: Life, number: int, minted: datetime) -> bytes:
    """A signed event about a move, without the encryption around it."""
    claims = {
        "iss": issuer_of(provider),
        "aud": [CLIENT_ID],
        "iat": int(minted.timestamp()),
        "exp": int((minted + timedelta(minutes=5)).timestamp()),
        "message": {
            "Meta": {
                "EventDateTime": life.stamp(number).astimezone(DUBAI).isoformat(timespec="seconds"),
                "EventResource": f"/consents/{life.consent_id}",
                "EventType": "Resource.Updated",
                "ConsentId": life.consent_id,
            },
            "Data": life.data(number),
        },
    }
    return b".".join((_piece({"alg": "PS256", "kid": _KEY.kid}), _piece(claims), b"c2lnbmF0dXJl"))


def _piece(value: Mapping[str, Any]) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")


class OpenEnvelopes:
    """Implements `ports.EventCrypto` for events that are neither encrypted nor really signed."""

    def knows_key(self, kid: str) -> bool:
        """Whether a key id is one of ours."""
        return kid == "enc-1"

    def decrypt(self, token: bytes, push: Push) -> Decrypted:
        """Give what is inside."""
        return Decrypted(client_id=CLIENT_ID, kid="enc-1", plaintext=token)

    def verify(self, token: bytes, key: VerificationKey, algorithms: Collection[str]) -> Mapping[str, Any]:
        """Not asked for here."""
        raise NotImplementedError

    def check_signature(self, signed: Compact, key: VerificationKey, algorithms: Collection[str]) -> None:
        """All are genuine."""


class OneKey:
    """Implements `ports.HolderKeys`: every provider has the same one."""

    def find(self, provider: Provider, kid: str, received_at: datetime | None = None) -> VerificationKey | None:
        """Look it up."""
        return _KEY if kid == _KEY.kid else None

    def at_hand(self, provider: Provider) -> tuple[str, ...]:
        """Its id."""
        return (_KEY.kid,)

    async def refresh(self, provider: Provider) -> None:
        """It is there already."""
