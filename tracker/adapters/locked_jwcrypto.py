"""jwcrypto with the limits that it needs, and the one place where what it throws becomes ours.

Nothing else imports the library, so nobody can use it without these. The limits hold for the whole process, whatever way
leads into the library: left alone it inflates a compressed token of 256 KiB to 100 MiB, and lets a token ask for 16,384
rounds of key derivation.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from jwcrypto import jwa, jwe
from jwcrypto.common import JWException
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

from tracker.domain.errors import TrackerError

__all__ = ["JWE", "JWK", "JWS", "refusing"]

jwe.default_max_plaintext_size = 64 * 1024
jwe.default_max_compressed_size = 16 * 1024
jwa.default_max_pbkdf2_iterations = 1

_LIBRARY_ERRORS: Final = (
    JWException,
    InvalidSignature,
    InvalidTag,
    UnsupportedAlgorithm,
    ValueError,  # JSONDecodeError, UnicodeError and binascii.Error are among these
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RuntimeError,  # so are RecursionError and NotImplementedError here
)


@contextmanager
def refusing(error: TrackerError) -> Iterator[None]:
    """Let out this error instead of whatever the library throws inside the block."""
    try:
        yield
    except _LIBRARY_ERRORS as cause:
        raise error from cause
