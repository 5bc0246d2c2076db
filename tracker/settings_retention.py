"""The sections of the configuration that say how long what is known of consents is kept."""

from typing import Annotated, Literal

from pydantic import Field

from tracker.settings_sections import Section

_Years = Annotated[int, Field(ge=0, le=100)]


class RetentionSettings(Section):
    """`[retention]`: for how many years of the calendar each type of record is kept.

    Spec: CBUAE Open Finance Regulation C 7/2023, Art. 13: at least five years from creation.

    Attributes:
        counts_from: Whether the years count from a record's creation, or from the end of its consent if that is later.
        consent_years: The consent, its reports, and the private values of its entries.
        evidence_years: The holder's signed tokens.
        payment_years: Payments and other events, from the youngest.
        completion_years: What subscribers reported as done, from the last report.
        quarantine_years: What could not be opened or believed, from when it was put aside.
        unregistered_years: Reports about consents that nobody has registered, from when they came.
        dispose: Whether a consent goes by itself once nothing stands against it, or only if that was asked for.
    """

    counts_from: Literal["creation", "end"] = "creation"
    consent_years: _Years = 5
    evidence_years: _Years = 5
    payment_years: _Years = 5
    completion_years: _Years = 5
    quarantine_years: _Years = 5
    unregistered_years: _Years = 5
    dispose: Literal["when_due", "when_asked"] = "when_due"


class RetentionOverrideSettings(Section):
    """`[[retention_override]]`: other years for some consents. What is not said is as in `[retention]`.

    Attributes:
        profile: Only consents of this ecosystem.
        provider: Only of this provider.
        kind: Only of this kind.
    """

    profile: str | None = None
    provider: str | None = None
    kind: str | None = None
    counts_from: Literal["creation", "end"] | None = None
    consent_years: _Years | None = None
    evidence_years: _Years | None = None
    payment_years: _Years | None = None
    completion_years: _Years | None = None
