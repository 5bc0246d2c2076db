"""Keys as a certificate request leaves them: PEM files, to be written as the JWK Sets that the rest works with.

Who had certificates made for a directory has private keys in PEM. A new key would not be the one that is registered, so the
old one is taken over.

Spec: RFC 7468 (PEM), RFC 5958 and RFC 8017 (what is in it), RFC 7518 §6.3 (RSA as JWK).
"""

import re
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tracker.adapters.private_files import read_private
from tracker.adapters.public_keys import is_sound_rsa
from tracker.domain.errors import ConfigurationError

_LABEL: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")


def pem_labels(data: bytes) -> list[str]:
    """What the blocks of a PEM file are called, in their order; none if it is no such file."""
    return [label.decode("ascii") for label in _LABEL.findall(data)]


def load_pem_rsa(path: Path) -> rsa.RSAPrivateKey:
    """Read the private RSA key of a PEM file. That others can read the file is warned of, and is no reason to stop.

    Raises:
        ConfigurationError: There is none in it that can be used.
    """
    data = read_private(path, "name the PEM file of the private key", "warn")
    labels = pem_labels(data)
    if not any(label.endswith("PRIVATE KEY") for label in labels):
        held = f"{labels[0].lower()} and no private key" if labels else "no PEM"
        raise ConfigurationError(f"{path} holds {held}; name the file of the private key.")
    try:
        key = load_pem_private_key(data, None)
    except TypeError as error:
        raise ConfigurationError(
            f"{path} has a password; write the key without with `openssl pkey -in {path} -out FILE`, and name that file."
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"{path} holds no private key that can be read; export it again as PEM.") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ConfigurationError(f"{path} holds no RSA key, and the ecosystem takes no other; have one registered.")
    if not is_sound_rsa(key.public_key()):
        raise ConfigurationError(
            f"The key in {path} is not of 2048 to 8192 bits with a public exponent of 65537 or more; have one registered."
        )
    return key
