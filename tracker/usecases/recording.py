"""The record: inside one transaction, judge what was heard, change the consents, and draft what the journal tells.

Everything that moves a consent goes through here, whichever door it came by: events, answers, registration, the clock.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tracker.domain import schedule
from tracker.domain.changed import changed
from tracker.domain.condition import Condition, always_healthy
from tracker.domain.consent import Channel, ProviderId, Status, TrackingId
from tracker.domain.decision import Decision
from tracker.domain.lifecycle import Judgement, Statement, Verdict, judge, tick
from tracker.domain.notices import NoticePlan, next_notice
from tracker.domain.overlay import Deed
from tracker.domain.report import Claim, Report
from tracker.domain.schedule import Pace, Tempo
from tracker.domain.tracked import Asking, TrackedConsent
from tracker.journal.entry import Draft, Entry
from tracker.journal.entry import Evidence as EntryEvidence
from tracker.ports import Clock, Confirmation, Entropy, Evidence, Ids, Provider, StoredReport, Transaction
from tracker.usecases.foresight import notice_rules, with_chain_news
from tracker.usecases.heard import are_same_terms, judged_as, told_authorizers
from tracker.usecases.providers import Providers
from tracker.usecases.seen import are_seen_alike
from tracker.usecases.untold import untold_beliefs

SALT_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """What recording needs besides the transaction.

    Attributes:
        providers: Whom we know.
        clock: Our clock.
        ids: Fresh ids.
        entropy: Salts, and jitter.
        pace: How often to ask while nothing is wrong.
        notices: How long before what something is told.
        condition_of: How each provider is, as far as it says how often to ask.
    """

    providers: Providers
    clock: Clock
    ids: Ids
    entropy: Entropy
    pace: Pace
    notices: NoticePlan = field(default_factory=NoticePlan)
    condition_of: Callable[[ProviderId], Condition] = always_healthy

    def tempo(self, provider: ProviderId) -> Tempo:
        """What the condition of a provider makes of the schedule."""
        return schedule.tempo(self.pace, self.condition_of(provider))


class Recording:
    """One transaction's worth of judging. Made anew for each run of the script; `finish` ends it.

    Attributes:
        now: When it is.
        is_asking_due: Whether a consent that was written is to be asked about at once.
        overdue: Consents whose expiry the holder should have confirmed by now; each is here once in its life.
    """

    def __init__(self, transaction: Transaction, office: Office, held: Collection[TrackedConsent]) -> None:
        self._transaction = transaction
        self._office = office
        self._before = {consent.tracking_id: consent for consent in held}
        self._now_are = dict(self._before)
        self._claims: dict[TrackingId, set[Claim]] = {}
        self._drafts: list[Draft] = []
        self._planned_anew: set[TrackingId] = set()
        self.now = office.clock.now()
        self.is_asking_due = False  # whoever asks need not be woken for nothing
        self.overdue: list[TrackedConsent] = []

    def current(self, tracking_id: TrackingId) -> TrackedConsent:
        """A held consent as it is by now."""
        return self._now_are[tracking_id]

    def provider_of(self, consent: TrackedConsent) -> Provider:
        """Whose consent it is."""
        return self._office.providers.require(consent.provider)

    def load_claims(self) -> None:
        """Read which claims are on record: needed before the first `hear`."""
        self._claims = {k: set(v) for k, v in self._transaction.known_claims(self._before.keys()).items()}

    def register(self, consent: TrackedConsent, private: Mapping[str, Any]) -> None:
        """Begin to track a consent."""
        self._now_are[consent.tracking_id] = consent
        self._draft(consent, "consent.registered", to_status=consent.told.status, private=private)

    def change(self, consent: TrackedConsent) -> None:
        """Put a held consent's new facts in place, without judging."""
        self._now_are[consent.tracking_id] = consent

    def tell(self, draft: Draft) -> None:
        """Tell something that is not judged of a report, after what was told before it."""
        self._drafts.append(draft)

    def tick(self, tracking_id: TrackingId) -> None:
        """Let the clock speak about a consent."""
        consent = self.current(tracking_id)
        rules = self._office.providers.kind_of(consent).rules
        self._take(consent, tick(consent.position(rules), self.now), report=None)

    def told_by_now(self, tracking_id: TrackingId) -> TrackedConsent:
        """A held consent for an entry that does not judge: if the clock takes its use away, that is told before."""
        consent = self.current(tracking_id)
        rules = self._office.providers.kind_of(consent).rules
        if consent.told.usable and not consent.position(rules).is_usable(self.now):
            self.tick(tracking_id)
        return self.current(tracking_id)

    def plan_anew(self, tracking_id: TrackingId) -> None:
        """Write a held consent whether or not it changes, so that what is due of it is found out anew."""
        self._planned_anew.add(tracking_id)

    def deed(
        self,
        consent: TrackedConsent,
        deed: Deed,
        *,
        revoked_by: str | None = None,
        reason: str | None = None,
        channel: Channel = Channel.OPERATOR,
    ) -> None:
        """Put in place what we ourselves did to a consent, and tell it. The clock must have spoken about it before."""
        position = consent.position(self._office.providers.kind_of(consent).rules)
        told = replace(consent.told, usable=position.is_usable(self.now))
        doubted_at = (consent.asking.doubted_at or self.now) if position.decision().is_in_doubt else None
        done = changed(consent, told=told, asking=changed(consent.asking, doubted_at=doubted_at))
        self._now_are[consent.tracking_id] = done
        statement = Statement(
            type=deed,
            to_status=told.status,
            confirmed=told.confirmed,
            usable=told.usable,
            channel=channel,
            reasons=() if reason is None else (reason,),
            revoked_by=revoked_by,
        )
        self._state(done, statement, None, with_terms=False)

    def hear(
        self, tracking_id: TrackingId, heard: StoredReport, evidence: Evidence | None, *, is_repeat: bool
    ) -> Verdict | None:
        """Judge one report on a consent and put it on record."""
        consent = self.current(tracking_id)
        kind = self._office.providers.kind_of(consent)
        stored = judged_as(heard, tracking_id, asks=consent.summary.asks, recorded_at=self.now)
        claims = self._claims.setdefault(tracking_id, set())
        progressed = stored.authorizers is not None and stored.authorizers != consent.authorizers
        new_terms = progressed or not are_same_terms(stored.terms, consent.terms, kind.status_members)
        judgement = judge(
            consent.position(kind.rules),
            stored.report,
            self.now,
            is_repeat=is_repeat,
            is_on_record=stored.report.claim in claims,
            new_terms=new_terms,
        )
        self._take(consent, judgement, report=stored, new_terms=new_terms)
        if is_repeat:
            self._transaction.count_repeat(stored.report.digest)
            return judgement.verdict
        if stored.report.channel.is_holders_word:
            claims.add(stored.report.claim)
        said = bool(judgement.statements) or not _says_nothing_new(consent, judgement)
        if judgement.verdict is Verdict.CONFIRMED:
            self._transaction.add_confirmation(
                Confirmation(
                    tracking_id=tracking_id,
                    vouched_at=stored.vouched_at,
                    recorded_at=self.now,
                    channel=stored.report.channel,
                    status=stored.report.status,
                )
            )
        # A poll that says what we know already leaves its mark in the confirmation log alone: that log is bounded.
        if not stored.report.is_poll or judgement.verdict is not Verdict.CONFIRMED or said:
            self._transaction.add_report(changed(stored, verdict=judgement.verdict), evidence)
        return judgement.verdict

    def finish(self) -> list[Entry]:
        """Write the consents that changed and append what is to be told. Last of all."""
        for tracking_id, consent in self._now_are.items():
            before = self._before.get(tracking_id)
            if consent != before or tracking_id in self._planned_anew:
                self._save(consent, before)
        beliefs = untold_beliefs(self._office.providers, self._before, self._now_are, self._drafts, self.now)
        self._transaction.beliefs.add(beliefs)
        return self._transaction.append(self._drafts, self.now)

    # ------------------------------------------------------------------------------------------ inside

    def _save(self, consent: TrackedConsent, before: TrackedConsent | None) -> None:
        kind = self._office.providers.kind_of(consent)
        rules = kind.rules
        consent = with_chain_news(consent, before, self.now)
        decision = consent.decision(rules)
        if before is not None and not are_seen_alike(consent, before):
            consent = changed(consent, version=before.version + 1, updated_at=self.now)
        fraction = self._office.entropy.fraction()
        ask = schedule.next_ask(
            consent,
            decision,
            self._office.pace,
            now=self.now,
            settling=rules.settling,
            fraction=fraction,
            is_single=kind.is_single(consent.terms or {}),
        )
        due_at = ask.due_at(decision.status, self._office.tempo(consent.provider))
        self.is_asking_due |= due_at is not None and due_at <= self.now
        self._transaction.save(
            consent,
            decision,
            next_ask_at=ask.ordinary_at,
            next_tick_at=schedule.next_tick(consent, decision, self._office.pace),
            urgent_ask_at=ask.urgent_at,
            queued_ask_at=ask.queued_at,
            next_notice_at=next_notice(consent, decision, notice_rules(kind, consent), self._office.notices, self.now),
            steady_ask_at=ask.steady_at,
        )

    def _take(
        self, consent: TrackedConsent, judgement: Judgement, *, report: StoredReport | None, new_terms: bool = False
    ) -> None:
        """Change a consent by what was judged of it, and draft what is to be told."""
        rules = self._office.providers.kind_of(consent).rules
        before, after = consent.decision(rules), judgement.position.decision()
        after_it = changed(
            consent,
            summary=judgement.position.summary,
            told=judgement.position.told,
            judged_at=judgement.position.judged_at,
            asking=self._asking_after(consent.asking, before, judgement),
            revoked_by=after.report.revoked_by if after.report else None,
            learned_at=self.now if after.status is not before.status else consent.learned_at,
            overlay=consent.overlay.at_the_end() if after.status.is_terminal else consent.overlay,
        )
        self._note_overdue(consent, after_it)
        adopted = False
        if report is not None and judgement.verdict is not Verdict.DUPLICATE:
            adopted = judgement.verdict is Verdict.CONFIRMED or _decides(report, after)
            if adopted:
                # Terms that come with nothing else to tell (a doubt that stands already) wait for the answer that ends it.
                is_told = any(statement.channel is not Channel.CLOCK for statement in judgement.statements)
                after_it = _adopt(after_it, report, with_terms=is_told or not new_terms)
        self._now_are[consent.tracking_id] = after_it
        for statement in judgement.statements:
            by_report = report if statement.channel is not Channel.CLOCK else None
            self._state(after_it, statement, by_report, with_terms=adopted and new_terms and by_report is not None)
            if by_report is not None:
                adopted = False  # the terms are told once

    def _asking_after(self, asking: Asking, before: Decision, judgement: Judgement) -> Asking:
        """What a judgement makes us want to know."""
        after, told = judgement.position.decision(), judgement.position.told
        doubted_at = (asking.doubted_at or self.now) if after.is_in_doubt else None
        is_inferred = told.status is Status.EXPIRED and not told.confirmed
        expiry_told_at = (asking.expiry_told_at or self.now) if is_inferred else None
        if (asking.doubted_at, asking.expiry_told_at) != (doubted_at, expiry_told_at):
            asking = changed(asking, doubted_at=doubted_at, expiry_told_at=expiry_told_at)
        if after.status is Status.REVOKED and before.status is not Status.REVOKED:
            # A holder may revoke a whole base group at once, and tell of one.
            asking = changed(asking, siblings_wanted_at=self.now)
        return asking

    def _note_overdue(self, before: TrackedConsent, after: TrackedConsent) -> None:
        """Note that it is about time that the holder confirmed an expiry; the instant of judging passes that once."""
        alarm_at = schedule.overdue_from(after)
        if alarm_at is None or after.judged_at is None or before.judged_at is None:
            return
        if before.judged_at < alarm_at <= after.judged_at:
            self.overdue.append(after)

    def _state(
        self, consent: TrackedConsent, statement: Statement, report: StoredReport | None, *, with_terms: bool
    ) -> None:
        self._draft(
            consent,
            statement.type.value,
            from_status=statement.from_status,
            to_status=statement.to_status,
            statement=statement,
            report=report,
            private=_terms_of(report) if with_terms and report is not None else None,
        )

    def _draft(
        self,
        consent: TrackedConsent,
        entry_type: str,
        *,
        to_status: str,
        from_status: str | None = None,
        statement: Statement | None = None,
        report: StoredReport | None = None,
        private: Mapping[str, Any] | None = None,
    ) -> None:
        self._drafts.append(
            Draft(
                id=self._office.ids.ordered(),
                type=entry_type,
                provider=consent.provider,
                tracking_id=consent.tracking_id,
                consent_id=consent.consent_id,
                kind=consent.kind,
                from_status=from_status,
                to_status=to_status,
                status_date_time=statement.status_date_time if statement else None,
                received_at=report.report.received_at if report else None,
                channel=statement.channel.value if statement else None,
                late=statement.late if statement else False,
                corrected=statement.corrected if statement else False,
                inferred=not statement.confirmed if statement else False,
                confirmed=statement.confirmed if statement else consent.told.confirmed,
                revoked_by=statement.revoked_by if statement else None,
                reason=",".join(statement.reasons) or None if statement else None,
                usable=statement.usable if statement else consent.told.usable,
                evidence=() if report is None else (_evidence_of(report),),
                private=private or None,
                private_salt=self._office.entropy.token(SALT_BYTES) if private else None,
            )
        )


def _terms_of(report: StoredReport) -> dict[str, Any]:
    authorizers = report.authorizers
    return {"terms": dict(report.terms)} | (
        {} if authorizers is None else {"authorizers": told_authorizers(authorizers)}
    )


def _says_nothing_new(before: TrackedConsent, judgement: Judgement) -> bool:
    """Whether the standing reports claim after judging what they claimed before it."""
    was = {_said(report) for report in before.summary.standing}
    return was == {_said(report) for report in judgement.position.summary.standing}


def _said(report: Report) -> tuple[object, ...]:
    return report.claim, report.expiration_date_time, report.revoked_by, report.raw_status


def _decides(report: StoredReport, decision: Decision) -> bool:
    return decision.report is not None and decision.report.digest == report.report.digest


def _adopt(consent: TrackedConsent, report: StoredReport, *, with_terms: bool) -> TrackedConsent:
    """Take over what the holder vouches for."""
    is_newer = consent.confirmed_at is None or report.vouched_at >= consent.confirmed_at
    consent = changed(
        consent,
        confirmed_at=report.vouched_at if is_newer else consent.confirmed_at,
        confirmed_by=report.report.channel if is_newer else consent.confirmed_by,
    )
    if not with_terms:
        return consent
    return changed(
        consent,
        terms=report.terms,
        permissions=consent.permissions if report.permissions is None else report.permissions,
        creation_date_time=report.creation_date_time or consent.creation_date_time,
        authorization_expiration_date_time=(
            report.authorization_expiration_date_time or consent.authorization_expiration_date_time
        ),
        base_consent_id=consent.base_consent_id or report.base_consent_id,
        authorizers=report.authorizers or consent.authorizers,
    )


def _evidence_of(report: StoredReport) -> EntryEvidence:
    return EntryEvidence(
        channel=report.report.channel.value,
        signed=report.jws_sha256 is not None,
        jws_sha256=report.jws_sha256,
        jwe_sha256=report.jwe_sha256,
        kid=report.kid,
        jwk_thumbprint=report.jwk_thumbprint,
    )
