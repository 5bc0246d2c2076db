"""Certificates made at test time, and the contexts of those on the other side. Shares no code with the tracker."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


@dataclass(frozen=True)
class Pair:
    """A certificate (and its intermediate ones) and its key, in PEM."""

    certificate: bytes
    key: bytes

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """As an operator would: each file is written beside the old one and renamed. The key is ours alone."""
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        put(key, self.key)
        put(certificate, self.certificate)
        return certificate, key


def put(path: Path, text: bytes) -> Path:
    beside = path.with_suffix(".new")
    beside.touch(mode=0o600)
    beside.write_bytes(text)
    return beside.rename(path)


class Authority:
    """Issues certificates."""

    def __init__(self, name: str = "Test Authority", above: "Authority | None" = None) -> None:
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.chain: tuple[x509.Certificate, ...] = ()
        made = self._certificate(self.name, self.key.public_key(), above or self, 3650, -1, authority=True)
        if above is not None:
            self.chain = (made, *above.chain)
        self.pem = made.public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        *names: str,
        days: float = 90,
        since_days: float = 1,
        usages: Sequence[x509.ObjectIdentifier] = BOTH,
        password: bytes | None = None,
    ) -> Pair:
        """Issue a certificate for names or addresses that lapses in so many days; a negative number has lapsed."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        made = self._certificate(
            subject, key.public_key(), self, days, -since_days + min(days, 0), names=names, usages=usages
        )
        pems = [one.public_bytes(serialization.Encoding.PEM) for one in (made, *self.chain)]
        hidden: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if password is not None:
            hidden = serialization.BestAvailableEncryption(password)
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)
        return Pair(b"".join(pems), pem)

    def server(self, *names: str, demand: "Authority | None" = None, **options: float) -> ssl.SSLContext:
        """What a server of the other side answers with."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._load(context, self.issue(*(names or ("127.0.0.1",)), **options))  # type: ignore[arg-type]
        if demand is not None:
            context.load_verify_locations(cadata=demand.pem.decode())
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client(self, pair: Pair | None = None) -> ssl.SSLContext:
        """What a client of the other side connects with: it trusts this authority alone."""
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cadata=self.pem.decode())
        if pair is not None:
            self._load(context, pair)
        return context

    def _load(self, context: ssl.SSLContext, pair: Pair) -> None:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            context.load_cert_chain(*pair.write(Path(folder), "one"))

    def _certificate(
        self,
        subject: x509.Name,
        public_key: ec.EllipticCurvePublicKey,
        issuer: "Authority",
        days: float,
        since_days: float,
        *,
        names: Sequence[str] = (),
        usages: Sequence[x509.ObjectIdentifier] = (),
        authority: bool = False,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=since_days))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
        )
        if authority:
            usage = dict.fromkeys(
                ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
            ) | {"encipher_only": False, "decipher_only": False}
            builder = builder.add_extension(
                x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **usage), critical=True
            )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
            )
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        return builder.sign(issuer.key, SHA256())


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)
