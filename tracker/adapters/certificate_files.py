"""What stands in certificate files, for people: whose, until when, for what. TLS itself is `tls`'s business."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tracker.domain.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """One certificate.

    Attributes:
        name: Its subject's common name, else all of the subject; somebody else's words.
        not_before: From when it is valid, UTC.
        not_after: Until when, UTC.
        is_for_servers: Whether it may be shown by one that waits for connections.
        is_for_clients: Whether it may be shown by one that begins them.
    """

    name: str
    not_before: datetime
    not_after: datetime
    is_for_servers: bool
    is_for_clients: bool


def read_certificates(path: Path) -> tuple[CertificateFacts, ...]:
    """Read a PEM file of certificates, in its order; at least one.

    Raises:
        ConfigurationError: It cannot be read, or one in it is damaged.
    """
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
        return tuple(_facts(one) for one in found)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror}); correct the path.") from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is not made of sound certificates in PEM; put them there again.") from error


def is_pair(certificate: Path, key: Path) -> bool | None:
    """Whether a private key belongs to the first certificate of a file; None if one of them cannot be understood."""
    try:
        leaf = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
        private = load_pem_private_key(key.read_bytes(), None)
        ours, theirs = (
            one.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            for one in (private.public_key(), leaf.public_key())
        )
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: the key has a password
        return None
    return ours == theirs


def _facts(certificate: x509.Certificate) -> CertificateFacts:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    usages = _usages(certificate)
    return CertificateFacts(
        name=str(names[0].value) if names else certificate.subject.rfc4514_string(),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        is_for_servers=usages is None or ExtendedKeyUsageOID.SERVER_AUTH in usages,
        is_for_clients=usages is None or ExtendedKeyUsageOID.CLIENT_AUTH in usages,
    )


def _usages(certificate: x509.Certificate) -> frozenset[x509.ObjectIdentifier] | None:
    """What it is for; None: for everything. Spec: RFC 5280 §4.2.1.12."""
    try:
        usages = frozenset(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return None
    return None if ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usages else usages
