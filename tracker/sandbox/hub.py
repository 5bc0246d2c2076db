"""One simulated API Hub: everything that can be told to it in process.

The HTTP control API under `/sandbox/` says the same things in JSON. A hub serves one LFI; any number can run in one
process, each with its own keys, clients and consents.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from tracker.sandbox import authorizers
from tracker.sandbox.assertion import AssertionCheck
from tracker.sandbox.clients import Client, Clients
from tracker.sandbox.clock import HubClock
from tracker.sandbox.consent import Consent, Status
from tracker.sandbox.consents import Consents, Terms
from tracker.sandbox.dispatch import Dispatcher
from tracker.sandbox.errors import SandboxError
from tracker.sandbox.faults import EventFault, Faults
from tracker.sandbox.keyring import Keyring
from tracker.sandbox.kinds import Kind
from tracker.sandbox.message import CREATED, Message, consent_message, payment_message
from tracker.sandbox.options import HubOptions
from tracker.sandbox.outage import Outages
from tracker.sandbox.patch import Patch, RefusedPatchError, RevocationPolicy
from tracker.sandbox.recorder import HubEvent, Recorder
from tracker.sandbox.tokens import AccessTokens


class Hub:
    """A simulated API Hub.

    Methods that may send an event need a running event loop and a hub that was started; they return at once, and
    `settle` waits until what they sent has arrived.

    Attributes:
        name: the LFI; part of its key ids.
        clock: its time.
        clients: the registered third parties.
        consents: everything that was staged.
        keyring: its signing keys.
        tokens: the access tokens that are alive.
        token_lifetime_seconds: `expires_in` of those issued from now on.
        assertions: checks client assertions.
        faults: what is planned to go wrong; `faults.break_api(…)`, `faults.plan_event(…)`, `faults.clear()`.
        outages: whether it is away.
        revocation: what it does with consents that cannot be revoked.
        recorder: what it sent and what it was asked.
        sleep: how it waits.
        url: its own public origin, without a slash at the end; empty until it is started.
    """

    def __init__(self, name: str = "demobank", options: HubOptions | None = None) -> None:
        options = options or HubOptions()
        self.name = name
        self.clock = HubClock(options.now, microseconds=options.microseconds)
        self.clients = Clients()
        self.consents = Consents(self.clock, options.expiry)
        self.keyring = Keyring(name, options.make_key)
        self.tokens = AccessTokens()
        self.assertions = AssertionCheck(self.clients)
        self.faults = Faults()
        self.recorder = Recorder()
        self.outages = Outages(options.sleep)
        self.revocation = RevocationPolicy()
        self.token_lifetime_seconds = options.token_lifetime_seconds
        self.url = ""
        self.sleep = options.sleep
        self._dispatcher = Dispatcher(
            self.clock,
            self.keyring,
            self.recorder,
            sleep=options.sleep,
            retry_delays_seconds=options.retry_delays_seconds,
            webhook_ssl=options.webhook_ssl,
        )

    @property
    def issuer(self) -> str:
        """Its issuer, which is its origin.

        Raises:
            SandboxError: it was not started and so has none.
        """
        if not self.url:
            raise SandboxError("the hub has no address yet; start it first")
        return self.url

    def register_client(
        self,
        client_id: str,
        *,
        signing_jwks: Mapping[str, Any],
        encryption_jwks: Mapping[str, Any],
        webhook_url: str,
        encryption_kid: str | None = None,
    ) -> Client:
        """Register a third party, or replace what was registered. Raises what `Client.registered` raises."""
        client = Client.registered(
            client_id,
            signing_jwks=signing_jwks,
            encryption_jwks=encryption_jwks,
            webhook_url=webhook_url,
            encryption_kid=encryption_kid,
        )
        self.clients.register(client)
        return client

    def stage(
        self,
        kind: Kind | str,
        consent_id: str | None = None,
        *,
        client_id: str | None = None,
        terms: Terms | None = None,
        send: bool = False,
    ) -> Consent:
        """Bring a consent into being, as an accepted pushed authorization request does.

        Args:
            kind: one of the three.
            consent_id: 1–128 characters; a new UUID unless given.
            client_id: who stages it; may be left out while only one client is registered.
            terms: what is asked for; all defaults unless given.
            send: tell it by a Resource.Created event, which real hubs may or may not do.

        Raises:
            SandboxError: unknown client, an id that is taken, or terms that no hub would take.
        """
        client = self.clients.require(client_id)
        consent = self.consents.stage(Kind(kind), consent_id or str(uuid4()), client, terms or Terms())
        if send:
            self._tell(consent, None, event_type=CREATED)
        return consent

    def consent(self, consent_id: str) -> Consent:
        """Look a consent up as it is now, flipped if its time has come.

        Raises:
            UnknownConsentError: it was never staged.
        """
        consent = self.consents.require(consent_id)
        self._flip(consent)
        return consent

    def visible_consent(self, kind: Kind, consent_id: str, client_id: str) -> Consent | None:
        """Look a consent up for a client; it sees those alone that it staged itself, at the place of their kind."""
        consent = self.consents.get(consent_id)
        if consent is None or (consent.kind, consent.client_id) != (kind, client_id):
            return None
        self._flip(consent)
        return consent

    def webhook_of(self, consent: Consent) -> str:
        """Tell where a consent's events go."""
        return consent.webhook_url or self.clients.require(consent.client_id).webhook_url

    def move(
        self,
        consent_id: str,
        status: str,
        *,
        revoked_by: str | None = None,
        at: datetime | None = None,
        send: bool = True,
        force: bool = False,
        fault: EventFault | None = None,
    ) -> HubEvent | None:
        """Give a consent another status and tell it.

        Args:
            consent_id: which one.
            status: what it becomes.
            revoked_by: with Revoked, who did it.
            at: its StatusUpdateDateTime; now unless given.
            send: whether an event is made at all.
            force: also make moves that the state machine does not have.
            fault: what goes wrong with the event; unless given, what was planned for it.

        Returns:
            The event; None when none was wanted.

        Raises:
            SandboxError: unknown consent, or a move that is not legal.
        """
        consent = self.consent(consent_id)
        if send:
            _ = self.issuer  # fails before anything has moved
        self.consents.move(consent, status, at=at, revoked_by=revoked_by, force=force)
        return self._tell(consent, fault) if send else None

    def authorize(self, consent_id: str, *, fault: EventFault | None = None) -> HubEvent | None:
        """Let the user approve."""
        return self.move(consent_id, Status.AUTHORIZED, fault=fault)

    def reject(self, consent_id: str, *, fault: EventFault | None = None) -> HubEvent | None:
        """Let the user, or the LFI, decline."""
        return self.move(consent_id, Status.REJECTED, fault=fault)

    def suspend(self, consent_id: str, *, fault: EventFault | None = None) -> HubEvent | None:
        """Let the LFI block it for a while."""
        return self.move(consent_id, Status.SUSPENDED, fault=fault)

    def restore(self, consent_id: str, *, fault: EventFault | None = None) -> HubEvent | None:
        """Let the LFI lift its block."""
        return self.move(consent_id, Status.AUTHORIZED, fault=fault)

    def consume(self, consent_id: str, *, fault: EventFault | None = None) -> HubEvent | None:
        """Use up a payment consent."""
        return self.move(consent_id, Status.CONSUMED, fault=fault)

    def expire(self, consent_id: str, *, fault: EventFault | None = None) -> HubEvent | None:
        """Let it expire by hand; before its time only while it awaits authorization."""
        return self.move(consent_id, Status.EXPIRED, fault=fault)

    def revoke(
        self, consent_id: str, revoked_by: str | None = "LFI.InitiatedByUser", *, fault: EventFault | None = None
    ) -> HubEvent | None:
        """End it; by the user in the bank's application unless said otherwise."""
        return self.move(consent_id, Status.REVOKED, revoked_by=revoked_by, fault=fault)

    def patch(self, consent: Consent, patch: Patch) -> None:
        """Do what the client asks, which has been read; a revocation is told by an event.

        Raises:
            RefusedPatchError: the consent cannot be revoked.
        """
        if patch.data is not None:
            can_be = {Status.AWAITING_AUTHORIZATION, Status.AUTHORIZED}
            can_be |= {Status.SUSPENDED} if self.revocation.suspended else set()
            if consent.status in can_be:
                self.revoke(consent.consent_id, patch.data.revoked_by)
            elif not self.revocation.no_op:
                raise RefusedPatchError("Consent.BusinessRuleViolation")
        if patch.subscription is not None:
            webhook = patch.subscription.webhook
            consent.webhook_url = webhook.url or consent.webhook_url
            consent.webhook_active = consent.webhook_active if webhook.is_active is None else webhook.is_active

    def revoke_group(self, base_consent_id: str, revoked_by: str | None = "LFI.InitiatedByUser") -> list[Consent]:
        """End all consents of a chain that are open, the root too, each told by its event; gives those that ended.

        Raises:
            UnknownConsentError: there is no such chain.
        """
        chain = [c for c in self.consents if base_consent_id in {c.consent_id, c.base_consent_id}]
        if not chain:
            self.consents.require(base_consent_id)
        still_open = [consent for consent in chain if not self.consent(consent.consent_id).is_terminal]
        for consent in still_open:
            self.revoke(consent.consent_id, revoked_by)
        return still_open

    def decide(
        self, consent_id: str, authorizer_id: str, decision: authorizers.Decision, *, send: bool = True
    ) -> HubEvent | None:
        """Let one of several authorizers decide; the consent moves, and that is told, when it is decided as a whole.

        Raises:
            SandboxError: there is no such consent or authorizer, or nobody waits for it.
        """
        consent = self.consent(consent_id)
        status = authorizers.decide(consent, authorizer_id, decision, self.clock.now(), self.clock)
        return None if status is None else self.move(consent_id, status, send=send)

    def update(
        self, consent_id: str, data: Mapping[str, Any], *, send: bool = True, fault: EventFault | None = None
    ) -> HubEvent | None:
        """Change members of `Data` other than the status, such as `PaymentConsumption`, and tell it."""
        consent = self.consent(consent_id)
        self.consents.update(consent, data)
        return self._tell(consent, fault) if send else None

    def notify(self, consent_id: str, *, fault: EventFault | None = None) -> HubEvent | None:
        """Tell a consent's present state in a new event, though nothing changed."""
        return self._tell(self.consent(consent_id), fault)

    def notify_payment(
        self,
        consent_id: str,
        payment_id: str,
        status: str = "AcceptedSettlementCompleted",
        *,
        fault: EventFault | None = None,
    ) -> HubEvent:
        """Tell the state of a payment made under a consent."""
        consent = self.consent(consent_id)
        return self.send(payment_message(consent, self.clock, payment_id, status), consent.client_id, fault=fault)

    def send(self, message: Message, client_id: str | None = None, *, fault: EventFault | None = None) -> HubEvent:
        """Send any message, such as those about quotes and accounts, to a client's webhook.

        Raises:
            SandboxError: unknown client, or the hub was not started.
        """
        client = self.clients.require(client_id)
        return self._dispatch(message, client, client.webhook_url, fault)

    def release(self, subject: str | None = None) -> list[HubEvent]:
        """Let held events go: those about a consent, or all."""
        return self._dispatcher.release(subject)

    def tick(self) -> list[Consent]:
        """Make every move whose time has come and tell it if the policy says so; gives the consents that moved."""
        moved = self.consents.flip_due()
        for consent in moved:
            self._tell_flip(consent)
        return moved

    async def settle(self) -> None:
        """Wait until every event that was not dropped or held has been accepted or given up."""
        await self._dispatcher.settle()

    async def close(self) -> None:
        """Give up what is on its way; a closed hub can be started again."""
        await self.outages.close()
        await self._dispatcher.close()

    def _flip(self, consent: Consent) -> None:
        if self.consents.flip(consent):
            self._tell_flip(consent)

    def _tell_flip(self, consent: Consent) -> None:
        if (consent.expiry or self.consents.expiry).send_event:
            self._tell(consent, None)

    def _tell(self, consent: Consent, fault: EventFault | None, **message: str) -> HubEvent | None:
        if not consent.webhook_active:
            return None
        client = self.clients.require(consent.client_id)
        return self._dispatch(consent_message(consent, self.clock, **message), client, self.webhook_of(consent), fault)

    def _dispatch(self, message: Message, client: Client, webhook_url: str, fault: EventFault | None) -> HubEvent:
        fault = fault if fault is not None else self.faults.take_event(message.subject)
        return self._dispatcher.send(message, client, webhook_url=webhook_url, issuer=self.issuer, fault=fault)
