"""What a holder says of a consent that was disposed of: it is told in the journal, and nothing personal of it is kept.

It has been acknowledged, so it must not be lost; it must not bring back what has gone either. So the entry says that it came,
what status it named and which token it came in, and neither the token nor the terms are kept. What is said again is a repeat.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from tracker.domain.consent import Channel
from tracker.journal.entry import Draft
from tracker.journal.entry import Evidence as EntryEvidence
from tracker.ports import Evidence, Name, Transaction
from tracker.ports.retention import Tombstone
from tracker.usecases.heard import HeardOther, HeardReport, Opened
from tracker.usecases.recording import Office, Recording

HEARD_AFTER_DISPOSAL: Final = "consent.heard_after_disposal"


@dataclass(frozen=True, slots=True)
class Afterlife:
    """The tombstones that a batch comes upon.

    Attributes:
        tombstones: By the name of the consent.
        known: Digests of events that were told of already; grows with this batch.
    """

    transaction: Transaction
    office: Office
    recording: Recording
    tombstones: Mapping[Name, Tombstone]
    known: set[str]

    @classmethod
    def of(
        cls,
        transaction: Transaction,
        office: Office,
        recording: Recording,
        names: Collection[Name],
        digests: Collection[str],
    ) -> "Afterlife":
        """Look for tombstones with names that are held, and have no consent."""
        found = transaction.disposals.tombstones(names) if names else {}
        known = transaction.disposals.late_digests(digests) if found else set()
        return cls(transaction, office, recording, found, known)

    def put(self, opened: Opened, name: Name | None) -> str | None:
        """Tell of an event about a consent that is gone, and say in a word what it was; None: it is about another one."""
        tombstone = None if name is None else self.tombstones.get(name)
        if tombstone is None:
            return None
        match opened.outcome:
            case HeardReport(stored=stored, evidence=evidence):
                report = stored.report
                said = self._draft(tombstone, report.channel, report.status.value, evidence)
                return self._tell(report.digest, tombstone, said)
            case HeardOther(event=event, evidence=evidence):
                said = self._draft(tombstone, Channel.WEBHOOK, event.family, evidence)
                return self._tell(event.digest, tombstone, said)
            case _:  # what was not believed is put aside like any other
                return None

    def _tell(self, digest: str, tombstone: Tombstone, said: Draft) -> str:
        if digest in self.known:
            return "duplicate"
        self.known.add(digest)
        self.transaction.disposals.note_late(digest, tombstone, self.recording.now)
        self.recording.tell(said)
        return "disposed"

    def _draft(self, of: Tombstone, channel: Channel, reason: str, evidence: Evidence | None) -> Draft:
        return Draft(
            id=self.office.ids.ordered(),
            type=HEARD_AFTER_DISPOSAL,
            provider=of.provider,
            tracking_id=of.tracking_id,
            consent_id=of.consent_id,
            kind=of.kind,
            received_at=None if evidence is None else evidence.received_at,
            channel=channel.value,
            confirmed=True,
            reason=reason,
            evidence=() if evidence is None else (_named(channel, evidence),),
        )


def _named(channel: Channel, evidence: Evidence) -> EntryEvidence:
    return EntryEvidence(
        channel=channel.value,
        signed=True,
        jws_sha256=evidence.jws_sha256,
        jwe_sha256=evidence.jwe_sha256,
        kid=evidence.token.kid,
        jwk_thumbprint=evidence.token.jwk_thumbprint,
    )
