"""The one place that knows every class: what is made of what."""

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from prometheus_client import CollectorRegistry

from tracker.adapters.hub.holders import HolderConnection, Holders
from tracker.adapters.jose import JwcryptoEventCrypto
from tracker.adapters.metrics.counters import Counters
from tracker.adapters.security_event_signer import event_signer
from tracker.adapters.sender import WebhookSender
from tracker.adapters.store.place import Wakeups
from tracker.adapters.store.store import SqlStore
from tracker.adapters.store.vault import Vault
from tracker.app.access import access_recording
from tracker.app.auditing import Auditing, auditing
from tracker.app.bells import Bells
from tracker.app.brokers import open_telling
from tracker.app.certificates import Certificates
from tracker.app.configured import notices, pace, provider, retention_plan
from tracker.app.database import database_place
from tracker.app.observatory import Observatory, WatchedHolders, WatchedSender
from tracker.app.our_keys import OurKeys, load_our_keys
from tracker.app.ownership import needs_proof
from tracker.app.resending import resending
from tracker.app.ring import require_ring
from tracker.app.traced import TracedHolders, TracedInbox, TracedOpener, TracedSender
from tracker.app.world import World
from tracker.ports import HolderApi, Inbox, Sender
from tracker.settings import Settings
from tracker.usecases.api_keys import ApiKeys
from tracker.usecases.ask import Asker
from tracker.usecases.believed import Believing
from tracker.usecases.budget import Budget
from tracker.usecases.complete import Completions
from tracker.usecases.consult import Consulting
from tracker.usecases.expire import Expiry
from tracker.usecases.feed import Feed
from tracker.usecases.groups import Groups
from tracker.usecases.journeys import Journeys
from tracker.usecases.key_wait import KeyWait
from tracker.usecases.leasing import LEASE_SECONDS, Leasing
from tracker.usecases.notices import Notices
from tracker.usecases.notify import Notifier
from tracker.usecases.open import Opening
from tracker.usecases.opening import Opener
from tracker.usecases.pause import Pausing
from tracker.usecases.payments import Payments
from tracker.usecases.ping import Pings
from tracker.usecases.poll import Polling
from tracker.usecases.precedence import Precedence
from tracker.usecases.prove import Ownership
from tracker.usecases.provider_health import ProviderHealth
from tracker.usecases.providers import Providers
from tracker.usecases.pulse import Conditions, Pulse
from tracker.usecases.quarantine import Quarantine
from tracker.usecases.receive import Receiver
from tracker.usecases.record import Recorder
from tracker.usecases.recording import Office
from tracker.usecases.register import Registrar
from tracker.usecases.reopen import Reopening
from tracker.usecases.retention import retention
from tracker.usecases.returned_keys import ReturnedKeys
from tracker.usecases.revoke import Revoker
from tracker.usecases.shared_asks import SharedAsks, SharedRevocations
from tracker.usecases.siblings import Siblings
from tracker.usecases.sparing import Sparing
from tracker.usecases.stream import StreamPorts
from tracker.usecases.subscribe import Subscriptions
from tracker.usecases.suspects import Suspects
from tracker.usecases.timeline import Timelines
from tracker.usecases.traces import Traces
from tracker.usecases.trail import Trail
from tracker.usecases.was_usable import WasUsableAnswers
from tracker.usecases.watch import Watch
from tracker.web.peers import Peers
from tracker.web.services import Services

_log = logging.getLogger(__name__)

_OPENING_THREADS = 2


@dataclass(frozen=True, eq=False, kw_only=True)
class Tracker:
    """Everything, made and wired, not running yet.

    Attributes:
        wakeups: What wakes other services on the same database, if there can be any.
        listens_at: While it runs, the URL of each listener by its section: `http`, and `receiver` if that has its own.
    """

    settings: Settings
    world: World
    certificates: Certificates
    listens_at: dict[str, str] = field(default_factory=dict)
    store: SqlStore
    webhooks: WebhookSender
    providers: Providers
    holders: Holders
    crypto: JwcryptoEventCrypto
    services: Services
    auditing: Auditing
    opening: Opening
    expiry: Expiry
    notices: Notices
    siblings: Siblings
    reopening: Reopening
    returned_keys: ReturnedKeys
    watch: Watch
    pulse: Pulse
    conditions: Conditions
    notifier: Notifier
    shared_asks: SharedAsks
    shared_revocations: SharedRevocations
    bells: Bells
    registry: CollectorRegistry
    meters: Counters
    wakeups: Wakeups | None

    @property
    def api_keys(self) -> ApiKeys:
        """Keys of our API's callers."""
        return self.services.api_keys

    async def reload_certificates(self) -> bool:
        """Read all certificates again, towards providers and of our own listeners; say whether any was renewed.

        What cannot be used is logged, and the old one serves on.
        """
        return await self.certificates.reload()

    async def reload(self) -> None:
        """Read again what may change while the service runs, key and certificate files, and use it from now on.

        Everything is read before anything is taken: one broken file, and all stays as it was. What is under way ends as it
        began, and what waits in the inbox opens with the new keys and with those that were taken out.

        Raises:
            ConfigurationError: Something cannot be used; nothing has changed.
        """
        keys = await asyncio.get_running_loop().run_in_executor(None, load_our_keys, self.settings)
        await require_ring(self.store, keys.secrets)
        self._take(keys)
        await self.reload_certificates()

    def _take(self, keys: OurKeys) -> None:
        self.crypto.use_keys(keys.events)
        self.returned_keys.look_for(keys.events)
        self.holders.sign_with({provider.id: keys.signing[provider.client_id][0] for provider in self.providers})
        self.auditing.checkpoints.sign_with(keys.signers)
        self.services.polling.sign_with(event_signer(keys.notifications))
        self.store.vault.use_keys(keys.secrets)
        self.webhooks.sign_with(keys.notifications)
        _log.info("The key files were read: %s", keys.told())


@asynccontextmanager
async def build(  # noqa: PLR0915 - one list of what is made of what; cut in two it would be harder to read
    settings: Settings, world: World | None = None
) -> AsyncIterator[Tracker]:
    """Make everything that the configuration asks for; on leaving, take it down again.

    Raises:
        ConfigurationError: Something that it names cannot be used.
    """
    world = world or World()
    loop = asyncio.get_running_loop()
    # Key files are parsed here, once: importing a private RSA key costs some hundred times what opening an event does.
    keys = await loop.run_in_executor(None, load_our_keys, settings)
    crypto = JwcryptoEventCrypto(keys.events)
    certificates = await loop.run_in_executor(None, Certificates, settings)
    providers = Providers(provider(chosen, world.profiles) for chosen in settings.provider)
    registry = CollectorRegistry()
    meters = Counters(registry)
    traces = None if world.spans is None else Traces(world.spans, world.clock, world.entropy)
    trail = Trail(meters, traces)
    async with AsyncExitStack() as stack:
        place = database_place(settings)
        store = SqlStore(place.open(), world.ids, Vault(keys.secrets))
        stack.push_async_callback(store.close)
        connections = [
            HolderConnection(
                provider=providers.require(chosen.id),
                signing_key=keys.signing[chosen.client_id][0],
                contexts=certificates.towards(chosen.id),
            )
            for chosen in settings.provider
        ]
        budget = Budget(store, world.clock, is_shared=place.is_shared)
        holders = Holders(connections, world.clock, world.ids, crypto, before_repeat=budget.turn_soon)
        stack.push_async_callback(holders.close)
        threads = ThreadPoolExecutor(_OPENING_THREADS, thread_name_prefix="opening")
        stack.callback(threads.shutdown)
        told = await stack.enter_async_context(
            open_telling(settings, keys.notifications, certificates.towards_subscribers())
        )
        bells = Bells()
        wakeups = bells.connect(place)
        conditions = Conditions(store, world.clock)
        pulse = Pulse(store, world.clock, holders.tallies)
        office = Office(
            providers=providers,
            clock=world.clock,
            ids=world.ids,
            entropy=world.entropy,
            pace=pace(settings),
            notices=notices(settings),
            condition_of=conditions.of,
        )
        recorder = Recorder(store, office, bells.journal, bells.asks, trail, pulse)
        suspects = Suspects()
        most_each = max(1, settings.receiver.inbox_max_events // (2 * max(1, len(settings.provider))))
        key_wait = KeyWait(store, world.clock, holders, most_each=most_each)
        stack.push_async_callback(key_wait.close)
        opener = (
            Opener(providers, crypto, holders) if traces is None else TracedOpener(providers, crypto, holders, traces)
        )
        holder = world.ids.random()
        leases = (Leasing(store, world.clock, holder) if place.is_shared else None for _ in range(5))
        telling, asking, first, again, exporting = leases
        opening = Opening(
            store,
            world.clock,
            opener,
            key_wait,
            recorder,
            threads,
            suspects,
            lease_seconds=LEASE_SECONDS if place.is_shared else 0,
            precedence=Precedence(world.clock, first),
        )
        api_keys = ApiKeys(store, world.clock, world.entropy)
        provider_health = ProviderHealth(store, providers, budget)
        observatory = Observatory(
            registry, clock=world.clock, store=store, providers=providers, holders=holders, health=provider_health
        )
        inbox: Inbox = store if traces is None else TracedInbox(store, traces)
        api: HolderApi = holders if traces is None else TracedHolders(holders, traces)
        watched_holders = WatchedHolders(api, meters, world.clock)
        asker = Asker(store, office, watched_holders, budget, bells.journal, bells.asks, trail)
        revoker = Revoker(store, office, watched_holders, budget, asker, bells.journal, trail)
        post: Sender = told.sender if traces is None else TracedSender(told.sender, traces)
        watched_sender = WatchedSender(post, meters, world.clock, trail)
        consulting = Consulting(store, providers, world.clock, office.tempo, store.retention)
        believing = Believing(store, store.past, world.clock, consulting)
        feed = Feed(store, bells.journal, store.retention.journal_floor)
        audit = auditing(
            store,
            settings,
            keys.signers,
            meters,
            providers,
            world=world,
            changed=bells.exports,
            leasing=exporting,
        )
        sparing = Sparing(world.clock)
        services = Services(
            clock=world.clock,
            ids=world.ids,
            store=store,
            receiver=Receiver(
                inbox,
                world.clock,
                world.ids,
                crypto,
                providers.profiles,
                [provider.id for provider in providers],
                bells.inbox,
                suspects,
                max_events=settings.receiver.inbox_max_events,
                max_age_seconds=settings.receiver.inbox_max_age_seconds,
            ),
            registrar=Registrar(store, office, bells.journal, bells.asks, trail),
            consulting=consulting,
            believing=believing,
            was_usable=WasUsableAnswers(store, consulting, believing),
            accesses=access_recording(store, world.clock, world.ids, settings.audit),
            groups=Groups(store, consulting),
            timelines=Timelines(store, providers),
            asker=asker,
            revoker=revoker,
            pausing=Pausing(store, office, bells.journal, trail),
            journeys=Journeys(store, office, bells.journal, bells.asks, trail),
            payments=Payments(store),
            packs=audit.packs,
            feed=feed,
            polling=Polling(store, world.clock, feed, trail, event_signer(keys.notifications)),
            retention=retention(
                store=store,
                readings=store.retention,
                office=office,
                plan=retention_plan(settings),
                journal_bell=bells.journal,
                holder=holder,
                trail=trail,
            ),
            quarantine=Quarantine(
                store,
                world.clock,
                crypto.knows_key,
                bells.inbox,
                max_events=settings.receiver.inbox_max_events,
            ),
            completions=Completions(store, office, bells.journal, trail),
            resending=resending(store, watched_sender, world.clock, world.ids, world.entropy, bells, again),
            exports=audit.jobs,
            ownership=Ownership(
                store, watched_sender, world.clock, world.ids, world.entropy, bells.subscriptions, sparing
            ),
            pings=Pings(store, watched_sender, world.clock, world.ids, sparing),
            subscriptions=Subscriptions(
                store=store,
                clock=world.clock,
                ids=world.ids,
                entropy=world.entropy,
                check_url=told.check_url,
                changed=bells.subscriptions,
                check_means=told.webhooks.check_means,
                needs_proof=partial(needs_proof, settings=settings.notifications),
            ),
            auditing=audit.answers(),
            api_keys=api_keys,
            provider_health=provider_health,
            meters=meters,
            metrics=observatory.page,
            notification_jwks=told.webhooks.public_jwks,
            body_timeout_seconds=settings.receiver.body_timeout_seconds,
            peers=Peers(settings.receiver.trusted_proxies, settings.receiver.allow_networks),
            max_connections=settings.http.max_connections,
            is_ready=partial(_is_ready, store),
            traces=traces,
        )
        shared_asks = SharedAsks(asker, providers, asking)
        ports = StreamPorts(
            store=store,
            sender=watched_sender,
            clock=world.clock,
            ids=world.ids,
            entropy=world.entropy,
            news=bells.journal,
        )
        yield Tracker(
            settings=settings,
            world=world,
            certificates=certificates,
            store=store,
            webhooks=told.webhooks,
            providers=providers,
            holders=holders,
            crypto=crypto,
            services=services,
            auditing=audit,
            opening=opening,
            expiry=Expiry(store, office, bells.journal, bells.asks, trail),
            notices=Notices(store, office, bells.journal, trail),
            siblings=Siblings(store, office, bells.asks),
            reopening=Reopening(
                store,
                world.clock,
                holders,
                key_wait,
                bells.inbox,
                max_events=settings.receiver.inbox_max_events,
            ),
            returned_keys=ReturnedKeys(services.quarantine, keys.events),
            shared_asks=shared_asks,
            shared_revocations=SharedRevocations(revoker, shared_asks),
            watch=Watch(store, office, bells.journal, grace=settings.polling.drift_grace),
            pulse=pulse,
            conditions=conditions,
            notifier=Notifier(ports, bells.subscriptions, telling),
            bells=bells,
            registry=registry,
            meters=meters,
            wakeups=wakeups,
        )


async def _is_ready(store: SqlStore) -> bool:
    await store.head()
    return True
