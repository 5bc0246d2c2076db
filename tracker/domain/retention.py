"""How long what is known of a consent must be kept, and whether it may go now. Pure.

Each consent has four duties, one for each type of record. The consent goes as a whole, when the last of them has passed: what is
told of a payment cannot be understood without the consent under which it was made.

Spec: CBUAE Open Finance Regulation C 7/2023, Art. 13: consents, data provided, transactions and evidence of data destruction
are kept for at least five years from their creation. So a payment and a subscriber's report that data were destroyed count from
their own creation, and what proves the consent from the consent's. Other regimes count from the end of the consent.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from tracker.domain.consent import Status
from tracker.domain.tracked import TrackedConsent

_LAST: Final = datetime.max.replace(tzinfo=UTC)
_LAST_YEAR: Final = _LAST.year
_LOOK_AGAIN: Final = timedelta(days=1)
_ANY_DAY: Final = timedelta(days=4)  # rather a few too many are looked at
NOBODY_COMES: Final = timedelta(days=1)
"""A registration of which its holder knows nothing after so long, and whose window has closed, never became a consent."""


class CountsFrom(StrEnum):
    """From when the years count."""

    CREATION = "creation"
    """From the creation of the record."""
    END = "end"
    """From the end of the consent, if that is later."""


class Record(StrEnum):
    """The types of records that have a duty of their own."""

    CONSENT = "consent"
    """The consent: its terms, its reports, and the private values of its entries."""
    EVIDENCE = "evidence"
    """The holder's signed tokens."""
    PAYMENT = "payment"
    """Payments under it, and whatever else its holder told by events."""
    COMPLETION = "completion"
    """What subscribers reported as done: that data were deleted, for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Duties:
    """How long each type of record is kept, in whole years of the calendar."""

    counts_from: CountsFrom = CountsFrom.CREATION
    consent_years: int = 5
    evidence_years: int = 5
    payment_years: int = 5
    completion_years: int = 5

    def years(self, record: Record) -> int:
        """For a type."""
        years: int = getattr(self, f"{record.value}_years")
        return years


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Other duties for some consents. None: of whichever; or as it is otherwise.

    Attributes:
        profile: Only of this ecosystem.
        provider: Only of this provider.
        kind: Only of this kind.
    """

    profile: str | None = None
    provider: str | None = None
    kind: str | None = None
    counts_from: CountsFrom | None = None
    consent_years: int | None = None
    evidence_years: int | None = None
    payment_years: int | None = None
    completion_years: int | None = None

    def fits(self, consent: TrackedConsent) -> bool:
        """Whether it is about a consent."""
        return all(
            wanted is None or wanted == has
            for wanted, has in (
                (self.profile, consent.profile),
                (self.provider, consent.provider),
                (self.kind, consent.kind),
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPlan:
    """What is kept for how long.

    Attributes:
        duties: Of every consent to which no override applies.
        overrides: Of several that say the same thing of a consent, the last counts.
        quarantine_years: How long what was put aside is kept, from then on.
        unregistered_years: How long reports are kept about consents that nobody has registered, from when they came.
        goes_unasked: Whether consents go by themselves once their duties have passed, and not only those whose holder asked.
    """

    duties: Duties = Duties()
    overrides: tuple[Override, ...] = ()
    quarantine_years: int = 5
    unregistered_years: int = 5
    goes_unasked: bool = True

    def of(self, consent: TrackedConsent) -> Duties:
        """The duties of one consent."""
        fitting = [override for override in self.overrides if override.fits(consent)]
        said = {
            field.name: value
            for field in fields(Duties)
            for override in fitting
            if (value := getattr(override, field.name)) is not None
        }
        return Duties(**{**{field.name: getattr(self.duties, field.name) for field in fields(Duties)}, **said})

    def created_before(self, now: datetime) -> datetime:
        """What was created later has a duty still, whatever it is, unless its erasure was asked for."""
        said = (override.consent_years for override in self.overrides if override.consent_years is not None)
        years = min([self.duties.consent_years, *said])
        return years_before(now, years) + _ANY_DAY


class Obstacle(StrEnum):
    """Why a consent stays. Those that are there are told in this order."""

    NOT_ENDED = "not_ended"
    """It can be used, or may be."""
    DUTY = "duty"
    """A duty to keep it has not passed."""
    CLOCK_UNCERTAIN = "clock_uncertain"
    """Its duties have passed by our clock, less than a day ago, or our clock is not to be believed yet."""
    LEGAL_HOLD = "legal_hold"
    """Somebody has put a hold on it."""
    UNDELIVERED = "undelivered"
    """A subscriber is still to be told of it."""
    WORK_DUE = "work_due"
    """A subscriber has still time to report what it must do."""
    NOT_ASKED = "not_asked"
    """Nothing else is against it, but it goes only if its holder asks for that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ties:
    """What else ties a consent.

    Attributes:
        holds: How many legal holds lie on it.
        is_owed: Whether a subscriber is still to be told of it: its place in the journal is before one of its entries, or one is
            parked, handed out, or to be told again.
        has_work_due: Whether a subscriber has time left to report something done because of it.
        paid_at: When the youngest record of a payment or other event came.
        reported_at: When the last work was reported.
        is_asked: Whether the person whose it is has asked for its erasure.
    """

    holds: int = 0
    is_owed: bool = False
    has_work_due: bool = False
    paid_at: datetime | None = None
    reported_at: datetime | None = None
    is_asked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Whether a consent may go, and if not, why and until when.

    Attributes:
        obstacles: Why not; none: it goes.
        duties: Until when each type of its records must be kept; empty while that is not known, as it has not ended, and
            where no duty covers it.
    """

    obstacles: tuple[Obstacle, ...] = ()
    duties: Mapping[Record, datetime]

    @property
    def may_go(self) -> bool:
        """Whether nothing stands against it."""
        return not self.obstacles

    @property
    def until(self) -> datetime | None:
        """When the last duty passes; None: it is not known, or there is none."""
        return max(self.duties.values(), default=None)

    def look_again_at(self, now: datetime) -> datetime:
        """When to look at it again: not before its last duty passes, as far as that is known."""
        return max(now + _LOOK_AGAIN, self.until or now)


def keeping(
    consent: TrackedConsent,
    duties: Duties,
    ties: Ties,
    now: datetime,
    *,
    goes_unasked: bool,
    certain: datetime | None = None,
) -> Keeping:
    """Say whether a consent may go.

    What has ended is told by the journal: by the holder's word, or by our clock where the holder says nothing any more. A
    holder that has vanished keeps nobody's consent alive beyond its expiry, and one of a provider that has left the
    configuration stays as the journal has told it last.

    Args:
        consent: As it is now.
        duties: Its own.
        ties: What else ties it.
        now: Our clock's time.
        goes_unasked: Whether it goes without being asked for.
        certain: Up to which instant all has surely passed; see `SteadyClock`. None: up to now.
    """
    ended_at, was_given = _ended(consent, now)
    if ended_at is None:
        return Keeping(obstacles=tuple(_others(Obstacle.NOT_ENDED, ties)), duties={})
    if not was_given and ties.is_asked:  # there was no consent: nothing is to be proved of it
        return Keeping(obstacles=tuple(_others(None, ties)), duties={})
    until = _until(consent, duties, ties, ended_at)
    last = max(until.values())
    first = Obstacle.DUTY if last > now else Obstacle.CLOCK_UNCERTAIN if last > (certain or now) else None
    obstacles = [*_others(first, ties)]
    if not obstacles and not (goes_unasked or ties.is_asked):
        obstacles = [Obstacle.NOT_ASKED]
    return Keeping(obstacles=tuple(obstacles), duties=until)


def _others(first: Obstacle | None, ties: Ties) -> Iterable[Obstacle]:
    found: Sequence[tuple[bool, Obstacle]] = (
        (ties.holds > 0, Obstacle.LEGAL_HOLD),
        (ties.is_owed, Obstacle.UNDELIVERED),
        (ties.has_work_due, Obstacle.WORK_DUE),
    )
    if first is not None:
        yield first
    yield from (obstacle for is_there, obstacle in found if is_there)


def _ended(consent: TrackedConsent, now: datetime) -> tuple[datetime | None, bool]:
    """When it ended, and whether it ever was more than a registration."""
    if consent.told.status.is_terminal:
        reports = consent.summary.standing
        said = min((report.status_date_time for report in reports if report.status.is_terminal), default=None)
        expiries = (consent.registered_expiry, *(report.expiration_date_time for report in reports))
        expiry = min((expiry for expiry in expiries if expiry is not None), default=None)
        return min(said or expiry or consent.judged_at or consent.registered_at, now), True
    if consent.told.status is not Status.NOT_STAGED or consent.summary.standing:
        return None, True
    if consent.asking.leased_until is not None and consent.asking.leased_until > now:
        return None, False  # its holder is being asked at this moment
    window = consent.authorization_expiration_date_time or consent.registered_expiry
    closed = max(consent.registered_at + NOBODY_COMES, min(window or consent.registered_at, _LAST - NOBODY_COMES))
    return (closed if closed <= now else None), False


def _until(consent: TrackedConsent, duties: Duties, ties: Ties, ended_at: datetime) -> dict[Record, datetime]:
    created = consent.registered_at
    if consent.creation_date_time is not None and consent.creation_date_time <= ended_at:
        created = consent.creation_date_time  # a holder's word that it was made after it had ended is none
    began: dict[Record, datetime | None] = {
        Record.CONSENT: created,
        Record.EVIDENCE: created,
        Record.PAYMENT: ties.paid_at,
        Record.COMPLETION: ties.reported_at,
    }
    until: dict[Record, datetime] = {}
    for record, since in began.items():
        if since is not None:
            start = max(since, ended_at) if duties.counts_from is CountsFrom.END else since
            until[record] = years_after(start, duties.years(record))
    return until


def years_before(instant: datetime, years: int) -> datetime:
    """The same day so many years earlier; before the 29th of February the 28th, where there is no 29th."""
    year = max(1, instant.year - years)
    try:
        return instant.replace(year=year)
    except ValueError:
        return instant.replace(year=year, day=28)


def years_after(instant: datetime, years: int) -> datetime:
    """The same day so many years later; after the 29th of February the 1st of March, where there is no 29th."""
    if instant.year + years > _LAST_YEAR:
        return _LAST
    try:
        return instant.replace(year=instant.year + years)
    except ValueError:
        return instant.replace(year=instant.year + years, month=3, day=1)
