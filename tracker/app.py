"""The composition root: the only module that knows every class. It makes them, wires them, and takes them down in order."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from tracker.adapters.address_guard import check_url
from tracker.adapters.checkpoint_signer import checkpoint_signer
from tracker.adapters.clock import SystemClock, SystemEntropy, SystemIds
from tracker.adapters.hub.holders import HolderConnection, Holders
from tracker.adapters.jose import JwcryptoEventCrypto, SigningKey
from tracker.adapters.key_files import event_keys, load_checkpoint_key, load_encryption_keys, load_signing_keys
from tracker.adapters.sender import open_sender
from tracker.adapters.store import migrate
from tracker.adapters.store.service_lock import ServiceLock
from tracker.adapters.store.sqlite import SqliteDatabase, engine_for
from tracker.adapters.store.store import SqlStore
from tracker.domain.consent import ProviderId
from tracker.domain.errors import ConfigurationError, KeysUnavailableError
from tracker.domain.schedule import Pace
from tracker.ports import CheckpointSigner, Clock, Entropy, Ids, Provider
from tracker.profiles import PROFILES
from tracker.profiles.profile import Profile
from tracker.settings import Settings
from tracker.settings_sections import ClientSettings, ProviderSettings
from tracker.usecases.api_keys import ApiKeys
from tracker.usecases.ask import Asker
from tracker.usecases.budget import Budget
from tracker.usecases.consult import Consulting
from tracker.usecases.expire import Expiry
from tracker.usecases.export import Exporting
from tracker.usecases.feed import Feed
from tracker.usecases.notify import Notifier
from tracker.usecases.open import Opening
from tracker.usecases.opening import Opener
from tracker.usecases.providers import Providers
from tracker.usecases.receive import Receiver
from tracker.usecases.record import Recorder
from tracker.usecases.recording import Office
from tracker.usecases.register import Registrar
from tracker.usecases.stream import StreamPorts
from tracker.usecases.subscribe import Subscriptions
from tracker.usecases.timeline import Timelines
from tracker.usecases.wake import Bell
from tracker.web.application import web_application
from tracker.web.services import Services
from tracker.worker import Loop, Tick, Worker

_SQLITE = "sqlite:///"
_OPENING_THREADS = 2
_ASK_EVERY_SECONDS = 1.0
_TICK_EVERY_SECONDS = 1.0
_KEYS_EVERY_SECONDS = 60.0
_TRIM_EVERY_SECONDS = 3600.0
_READY_SIGNS_SECONDS = 30.0


@dataclass(frozen=True, eq=False, kw_only=True)
class World:
    """What a test or the demo may put in the place of the real thing.

    Attributes:
        clock: Our clock.
        ids: Fresh ids.
        entropy: Randomness.
        profiles: The ecosystems that are known.
    """

    clock: Clock = field(default_factory=SystemClock)
    ids: Ids = field(default_factory=SystemIds)
    entropy: Entropy = field(default_factory=SystemEntropy)
    profiles: dict[str, Profile] = field(default_factory=lambda: dict(PROFILES))


@dataclass(frozen=True, eq=False, kw_only=True)
class Tracker:
    """Everything, made and wired, not running yet."""

    settings: Settings
    world: World
    store: SqlStore
    providers: Providers
    holders: Holders
    services: Services
    exporting: Exporting
    opening: Opening
    expiry: Expiry
    notifier: Notifier
    inbox_bell: Bell
    journal_bell: Bell
    ask_bell: Bell

    @property
    def api_keys(self) -> ApiKeys:
        """Keys of our API's callers."""
        return self.services.api_keys


# ---------------------------------------------------------------------------------------------- the database


def database_file(settings: Settings) -> Path:
    """The SQLite file that the configuration names."""
    return Path(settings.database.url.get_secret_value().removeprefix(_SQLITE))


def require_schema(settings: Settings, *, migrate_empty: bool) -> None:
    """See to it that the database has the schema that this version works on.

    Args:
        settings: The configuration.
        migrate_empty: Whether a file that is empty or not there is given it.

    Raises:
        ConfigurationError: It has another one.
    """
    path = database_file(settings)
    if not path.parent.is_dir():
        raise ConfigurationError(f"The folder of the database {path} is not there; make it.")
    if not migrate_empty and not path.is_file():
        raise ConfigurationError(f"The database {path} is not there; make it with `tracker db upgrade`.")
    with migrations_connection(path) as connection:
        if migrate_empty and migrate.is_empty(connection):
            migrate.upgrade(connection)
        revision, newest = migrate.current(connection), migrate.newest()
    if revision != newest:
        raise ConfigurationError(
            f"The database is at schema {revision or 'none'} and this version works on {newest}; run `tracker db upgrade`."
        )


def migrations_connection(path: Path) -> Any:
    """A transaction on a database file, for migrations."""
    return engine_for(str(path), writer=True).begin()


# ---------------------------------------------------------------------------------------------- making everything


@asynccontextmanager
async def build(settings: Settings, world: World | None = None) -> AsyncIterator[Tracker]:
    """Make everything that the configuration asks for; on leaving, take it down again.

    Raises:
        ConfigurationError: Something that it names cannot be used.
    """
    world = world or World()
    loop = asyncio.get_running_loop()
    # Key files are parsed here, once: importing a private RSA key costs some hundred times what opening an event does.
    signing, crypto, signer = await loop.run_in_executor(None, _load_keys, settings)
    providers = Providers(_provider(chosen, world) for chosen in settings.provider)
    async with AsyncExitStack() as stack:
        store = SqlStore(SqliteDatabase(database_file(settings)), world.ids)
        stack.push_async_callback(store.close)
        clients = {client.client_id: client for client in settings.client}
        connections = [
            HolderConnection(
                provider=providers.require(chosen.id),
                signing_key=signing[chosen.client_id],
                ssl_context=_ssl_context(chosen, clients[chosen.client_id]),
            )
            for chosen in settings.provider
        ]
        holders = Holders(connections, world.clock, world.ids, crypto)
        stack.push_async_callback(holders.close)
        threads = ThreadPoolExecutor(_OPENING_THREADS, thread_name_prefix="opening")
        stack.callback(threads.shutdown)
        networks = settings.notifications.allow_networks
        sender = await stack.enter_async_context(open_sender(networks))
        inbox_bell, journal_bell, ask_bell, subscriptions_bell = Bell(), Bell(), Bell(), Bell()
        office = Office(
            providers=providers, clock=world.clock, ids=world.ids, entropy=world.entropy, pace=_pace(settings)
        )
        recorder = Recorder(store, office, journal_bell, ask_bell)
        opening = Opening(store, world.clock, Opener(providers, crypto, holders), holders, recorder, threads)
        stack.push_async_callback(opening.close)
        api_keys = ApiKeys(store, world.clock, world.entropy)
        services = Services(
            clock=world.clock,
            ids=world.ids,
            store=store,
            receiver=Receiver(
                store,
                world.clock,
                world.ids,
                crypto,
                providers.profiles,
                inbox_bell,
                max_events=settings.receiver.inbox_max_events,
                max_age_seconds=settings.receiver.inbox_max_age_seconds,
            ),
            registrar=Registrar(store, office, journal_bell, ask_bell),
            consulting=Consulting(store, providers, world.clock),
            timelines=Timelines(store, providers),
            asker=Asker(store, office, holders, Budget(world.clock), journal_bell, ask_bell),
            feed=Feed(store),
            subscriptions=Subscriptions(
                store=store,
                clock=world.clock,
                ids=world.ids,
                entropy=world.entropy,
                check_url=partial(check_url, allow_networks=networks),
                changed=subscriptions_bell,
            ),
            api_keys=api_keys,
            body_timeout_seconds=settings.receiver.body_timeout_seconds,
            is_ready=partial(_is_ready, store),
        )
        ports = StreamPorts(store=store, sender=sender, clock=world.clock, entropy=world.entropy, news=journal_bell)
        yield Tracker(
            settings=settings,
            world=world,
            store=store,
            providers=providers,
            holders=holders,
            services=services,
            exporting=Exporting(store, origin=settings.audit.origin, signer=signer),
            opening=opening,
            expiry=Expiry(store, office, journal_bell, ask_bell),
            notifier=Notifier(ports, subscriptions_bell),
            inbox_bell=inbox_bell,
            journal_bell=journal_bell,
            ask_bell=ask_bell,
        )


def _load_keys(settings: Settings) -> tuple[dict[str, SigningKey], JwcryptoEventCrypto, CheckpointSigner | None]:
    mode = settings.security.key_file_mode
    signing = {client.client_id: load_signing_keys(client.signing_jwks, mode)[0] for client in settings.client}
    decryption = {client.client_id: load_encryption_keys(client.encryption_jwks, mode) for client in settings.client}
    signer = None
    if settings.audit.checkpoint_key is not None:
        key = load_checkpoint_key(settings.audit.checkpoint_key, mode)
        signer = checkpoint_signer(key, settings.audit.origin)
    return signing, JwcryptoEventCrypto(event_keys(decryption)), signer


def _provider(chosen: ProviderSettings, world: World) -> Provider:
    profile = world.profiles.get(chosen.profile)
    if profile is None:
        known = ", ".join(sorted(world.profiles))
        raise ConfigurationError(f"Provider {chosen.id!r} has the profile {chosen.profile!r}; known are: {known}.")
    return Provider(
        id=ProviderId(chosen.id),
        profile=profile,
        client_id=chosen.client_id,
        issuer=chosen.issuer,
        resource_url=chosen.resource_url,
        api_version=chosen.api_version or profile.default_api_version,
        requests_per_second=chosen.requests_per_second,
    )


def _ssl_context(chosen: ProviderSettings, client: ClientSettings) -> ssl.SSLContext | None:
    if chosen.ca is None and client.transport_certificate is None:
        return None
    try:
        context = ssl.create_default_context(cafile=chosen.ca)
        if client.transport_certificate is not None:
            context.load_cert_chain(client.transport_certificate, client.transport_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"The certificates for provider {chosen.id!r} cannot be used ({error}); see ca and transport_certificate."
        ) from error
    return context


def _pace(settings: Settings) -> Pace:
    polling = settings.polling
    return Pace(
        awaiting_authorization=polling.awaiting_authorization,
        authorized=polling.authorized,
        suspended=polling.suspended,
        authorization_overdue=polling.authorization_overdue,
    )


async def _is_ready(store: SqlStore) -> bool:
    await store.head()
    return True


# ---------------------------------------------------------------------------------------------- running everything


def worker_for(tracker: Tracker) -> Worker:
    """Make the worker of a tracker: what runs when."""
    clock, asker = tracker.world.clock, tracker.services.asker
    asks = [
        Tick(
            name=f"asking {provider.id}",
            run=partial(asker.run_once, provider.id),
            every_seconds=_ASK_EVERY_SECONDS,
            bell=tracker.ask_bell,
        )
        for provider in tracker.providers
    ]
    keys = [
        Tick(
            name=f"keys of {provider.id}",
            run=partial(_refresh_keys, tracker, provider),
            every_seconds=_KEYS_EVERY_SECONDS,
        )
        for provider in tracker.providers
    ]
    return Worker(
        ticks=[
            *asks,
            *keys,
            Tick(name="the clock", run=tracker.expiry.run_once, every_seconds=_TICK_EVERY_SECONDS),
            Tick(
                name="housekeeping",
                run=lambda: tracker.store.trim(clock.now()),
                every_seconds=_TRIM_EVERY_SECONDS,
            ),
        ],
        loops=[Loop(name="opening", run=tracker.opening.run_once, bell=tracker.inbox_bell)],
    )


async def _refresh_keys(tracker: Tracker, provider: Provider) -> None:
    with suppress(KeysUnavailableError):  # the holder adapter has logged it; events that need them wait
        await tracker.holders.refresh(provider)


@asynccontextmanager
async def running(tracker: Tracker) -> AsyncIterator[str]:
    """Run a tracker: HTTP, the worker, the notifications. Gives the URL where it listens.

    On leaving, nothing new is taken in, what is under way is finished, and what was answered for is in the database.
    """
    http = tracker.settings.http
    runner = web.AppRunner(
        web_application(tracker.services), access_log=None, handle_signals=False, shutdown_timeout=5.0
    )
    await runner.setup()
    worker = worker_for(tracker)
    notifying = asyncio.create_task(tracker.notifier.run(), name="notifications")
    try:
        site = web.TCPSite(runner, http.host, http.port)
        try:
            await site.start()
        except OSError as error:
            raise ConfigurationError(
                f"Nothing can listen on {http.host}:{http.port} ({error.strerror}); see [http]."
            ) from error
        worker.start()
        port = runner.addresses[0][1]
        yield f"http://{http.host}:{port}"
    finally:
        await runner.cleanup()  # first the door is closed, and requests under way are answered
        await worker.stop()
        notifying.cancel()
        with suppress(asyncio.CancelledError):
            await notifying


@asynccontextmanager
async def service(settings: Settings, world: World | None = None) -> AsyncIterator[tuple[Tracker, str]]:
    """Run the whole service on its database; one service a file.

    Raises:
        ConfigurationError: Something that the configuration names cannot be used, or another service has the file.
    """
    with ServiceLock(database_file(settings)):
        require_schema(settings, migrate_empty=True)
        async with build(settings, world) as tracker, running(tracker) as url:
            yield tracker, url


Deed = Callable[[Tracker], Coroutine[Any, Any, Any]]


async def with_tracker(settings: Settings, deed: Deed) -> Any:
    """Make everything, do one thing with it without running anything else, and take it down. For the command line."""
    require_schema(settings, migrate_empty=True)
    async with build(settings) as tracker:
        return await deed(tracker)
