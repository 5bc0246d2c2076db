"""TLS contexts made from PEM files, which are read again when they change.

A context is never changed while it is in use: new files make a new one, for the connections that begin after it. Loading into
the old one would leave it with a certificate and no key when the pair is only half written, and could only ever add to whom it
trusts. What cannot be loaded is told once, and the old context serves on.
"""

import hashlib
import logging
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NoReturn

from tracker.adapters.certificate_files import is_pair
from tracker.adapters.private_files import ModePolicy, read_private
from tracker.domain.errors import ConfigurationError

_log = logging.getLogger(__name__)

Side = Literal["client", "server"]

ContextSource = Callable[[], ssl.SSLContext]
"""Gives the context for a connection that begins now; another one after the files have changed."""

_State = tuple[tuple[int, int, int, int] | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """What one side of a connection needs, as PEM files.

    Attributes:
        subject: Whose they are, for people; such as "[http]".
        side: Whether we begin the connection or wait for it.
        certificate: Our own, then the intermediate ones; None: we show none.
        key: Its private key.
        ca: Whom the other side's certificate must come from. None: to a client, whoever this machine trusts; a server then
            asks for no certificate, and with it demands one.
    """

    subject: str
    side: Side
    certificate: Path | None = None
    key: Path | None = None
    ca: Path | None = None

    def all(self) -> tuple[Path, ...]:
        """Those that there are."""
        return tuple(path for path in (self.certificate, self.key, self.ca) if path is not None)


class RotatingContext:
    """The newest context that could be made of some files. `current` may be read from any thread."""

    def __init__(self, files: TlsFiles, mode_policy: ModePolicy) -> None:
        """Load the files.

        Raises:
            ConfigurationError: They cannot be used.
        """
        self.files = files
        self._mode_policy = mode_policy
        self._lock = threading.Lock()
        self._state = _state(files)
        self._digest, self._context = _load(files, mode_policy)

    def current(self) -> ssl.SSLContext:
        """The context for a connection that begins now."""
        return self._context

    def reload(self, *, force: bool = False) -> bool:
        """Look whether the files have changed, and make a new context of them if so. Blocks while it reads.

        Args:
            force: Read them also if they look untouched.

        Returns:
            Whether there is a new context. Files that cannot be used are logged, once until they change again.
        """
        with self._lock:
            state = _state(self.files)
            if state == self._state and not force:
                return False
            self._state = state  # as it was before reading: what changes meanwhile is read the next time
            try:
                digest, context = _load(self.files, self._mode_policy)
            except ConfigurationError as error:
                _log.warning("New certificates cannot be used, the old ones serve on: %s", error)
                return False
            if digest == self._digest:
                return False
            self._digest, self._context = digest, context
            _log.info("The certificates of %s were renewed.", self.files.subject)
            return True


def _state(files: TlsFiles) -> _State:
    """What tells, without reading, that a file is another one now; None for one that is not there."""
    found: list[tuple[int, int, int, int] | None] = []
    for path in files.all():
        try:
            stat = path.stat()
        except OSError:
            found.append(None)
        else:
            found.append((stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
    return tuple(found)


def _load(files: TlsFiles, mode_policy: ModePolicy) -> tuple[bytes, ssl.SSLContext]:
    digest = hashlib.sha256()
    if files.key is not None:
        digest.update(read_private(files.key, "put the key there", mode_policy))
    for path in (files.certificate, files.ca):
        if path is not None:
            digest.update(b"\x00" + _read(path))
    context = _context(files)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.certificate is not None:
        _show(context, files)
    return digest.digest(), context


def _context(files: TlsFiles) -> ssl.SSLContext:
    purpose = ssl.Purpose.CLIENT_AUTH if files.side == "server" else ssl.Purpose.SERVER_AUTH
    if files.ca is None:
        return ssl.create_default_context(purpose)
    # Whatever stands between the certificates is a remark, and may be in any encoding.
    text = _read(files.ca).decode("ascii", "ignore")
    unusable = ConfigurationError(
        f"{files.ca} holds no certificates in PEM that can be used; put those of the authority there."
    )
    if not text.strip():  # to the library, nothing would mean whoever this machine trusts
        raise unusable
    try:
        context = ssl.create_default_context(purpose, cadata=text)
    except (ssl.SSLError, ValueError) as error:
        raise unusable from error
    if files.side == "server":
        context.verify_mode = ssl.CERT_REQUIRED
        # A resumed session is not verified again: a certificate that has lapsed since would pass for hours.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    return context


def _show(context: ssl.SSLContext, files: TlsFiles) -> None:
    """Load our own certificate into a new context."""
    if files.certificate is None:
        return

    def refuse() -> NoReturn:  # without it, a key with a password would ask the terminal for it
        raise ConfigurationError(f"The key file {files.key} has a password; write the key without, and guard the file.")

    try:
        context.load_cert_chain(files.certificate, files.key, password=refuse)
    except ssl.SSLError as error:
        text = _WEAK if error.reason in _WEAKNESSES else _UNREADABLE
        if files.key is not None and is_pair(files.certificate, files.key) is False:
            text = _MISMATCH
        raise ConfigurationError(text.format(files.certificate, files.key)) from error
    except OSError as error:
        raise ConfigurationError(f"{files.certificate} cannot be read ({error.strerror}); correct the path.") from error


_MISMATCH: Final = "The key {1} does not belong to the certificate {0}; put the pair there that was made together."
_UNREADABLE: Final = (
    "The certificate {0} and its key {1} cannot be used; both should be in PEM, the certificate before those above it."
)
_WEAK: Final = "The certificate {0} has a key or a signature that is too weak for TLS; have a stronger one made."
_WEAKNESSES: Final = frozenset({"EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"})
"""What OpenSSL calls them."""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: the path holds a NUL
        raise ConfigurationError(
            f"{path} cannot be read ({getattr(error, 'strerror', error)}); correct the path."
        ) from error
