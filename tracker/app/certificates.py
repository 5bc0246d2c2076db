"""Which certificates the configuration names: towards providers and on our own listeners; and their renewal."""

import asyncio
from functools import partial

from tracker.adapters.tls import ContextSource, RotatingContext, TlsFiles
from tracker.settings import Settings


def tls_towards(settings: Settings) -> dict[str, TlsFiles]:
    """The files of each provider that needs any, by its id; providers with the same ones have equal values."""
    clients = {client.client_id: client for client in settings.client}
    found: dict[str, TlsFiles] = {}
    for provider in settings.provider:
        client = clients[provider.client_id]
        if provider.ca is not None or client.transport_certificate is not None:
            found[provider.id] = TlsFiles(
                subject=f"client {client.client_id}",
                side="client",
                certificate=client.transport_certificate,
                key=client.transport_key,
                ca=provider.ca,
            )
    return found


def tls_of_listeners(settings: Settings) -> dict[str, TlsFiles]:
    """The files of each listener that speaks TLS, by its section."""
    found: dict[str, TlsFiles] = {}
    http, receiver = settings.http, settings.receiver
    if http.tls_certificate is not None:
        found["http"] = TlsFiles(subject="[http]", side="server", certificate=http.tls_certificate, key=http.tls_key)
    if receiver.tls_certificate is not None:
        found["receiver"] = TlsFiles(
            subject="[receiver]",
            side="server",
            certificate=receiver.tls_certificate,
            key=receiver.tls_key,
            ca=receiver.client_ca,
        )
    return found


def tls_towards_subscribers(settings: Settings) -> dict[str, TlsFiles]:
    """The files of each certificate that subscriptions may ask for, by its name."""
    return {
        chosen.name: TlsFiles(
            subject=f"client certificate {chosen.name}",
            side="client",
            certificate=chosen.certificate,
            key=chosen.key,
            ca=chosen.ca,
        )
        for chosen in settings.client_certificate
    }


class Certificates:
    """All contexts made of files. Belongs to one event loop, once it is made."""

    def __init__(self, settings: Settings) -> None:
        """Load all files. Blocks.

        Raises:
            ConfigurationError: One cannot be used.
        """
        mode = settings.security.key_file_mode
        towards, listeners, subscribers = (
            tls_towards(settings),
            tls_of_listeners(settings),
            tls_towards_subscribers(settings),
        )
        files_of_all = (*towards.values(), *listeners.values(), *subscribers.values())
        made = {files: RotatingContext(files, mode) for files in files_of_all}
        self._subscribers = {name: made[files] for name, files in subscribers.items()}
        self._towards = {provider_id: made[files] for provider_id, files in towards.items()}
        self._listeners = {section: made[files] for section, files in listeners.items()}
        self._contexts = tuple(made.values())

    def __bool__(self) -> bool:
        """Whether there is anything that could be renewed."""
        return bool(self._contexts)

    def towards(self, provider_id: str) -> ContextSource | None:
        """What connections to a provider are made with; None: the machine's trust, and no certificate of ours."""
        context = self._towards.get(provider_id)
        return None if context is None else context.current

    def towards_subscribers(self) -> dict[str, ContextSource]:
        """What connections to subscribers are made with that ask for a certificate, by its name."""
        return {name: context.current for name, context in self._subscribers.items()}

    def of_listener(self, section: str) -> ContextSource | None:
        """What a listener answers with; None: no TLS."""
        context = self._listeners.get(section)
        return None if context is None else context.current

    async def reload(self, *, force: bool = True) -> bool:
        """Read the files again; connections that begin from now on are made with what is in them.

        Args:
            force: Read them also if they look untouched.

        Returns:
            Whether something was renewed. Files that cannot be used are logged, and what they should replace stays.
        """
        loop = asyncio.get_running_loop()
        look = [partial(context.reload, force=force) for context in self._contexts]
        return any([await loop.run_in_executor(None, one) for one in look])
