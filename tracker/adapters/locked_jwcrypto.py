"""jwcrypto with the limits that it needs, and the one place where what it throws becomes ours.

Nothing else imports the library, so nobody can use it without these. The limits hold for the whole process, whatever way
leads into the library: left alone it inflates a compressed token of 256 KiB to 100 MiB, and lets a token ask for 16,384
rounds of key derivation.
"""

from functools import cache
from types import TracebackType
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from jwcrypto import jwa, jwe
from jwcrypto.common import JWException
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

from tracker.domain.errors import TrackerError

__all__ = ["JWK", "JWS", "content_algorithm", "key_algorithm", "refusing", "signature_algorithm"]

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


class refusing:  # noqa: N801 - reads as what it does; a class, as a generator takes four times as long
    """Let out this error instead of whatever the library throws inside the block."""

    __slots__ = ("_error", "_said")

    def __init__(self, error: type[TrackerError], said: str) -> None:
        self._error = error
        self._said = said

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: type[BaseException] | None, cause: BaseException | None, __: TracebackType | None) -> None:
        if isinstance(cause, _LIBRARY_ERRORS):
            raise self._error(self._said) from cause


# The library's algorithms without its token classes: these read a token anew, as JSON first, and each of its parts and headers
# once more. The algorithms keep nothing between two uses, so one of each serves all threads.


@cache
def key_algorithm(name: str) -> Any:
    """What unwraps a content key: `unwrap(jwk, bits, encrypted_key, header)`."""
    return jwa.JWA.keymgmt_alg(name)


@cache
def content_algorithm(name: str) -> Any:
    """What decrypts content: `decrypt(key, additional_data, iv, ciphertext, tag)`, with a key of `wrap_key_size` bits."""
    return jwa.JWA.encryption_alg(name)


@cache
def signature_algorithm(name: str) -> Any:
    """What verifies: `verify(jwk, signing_input, signature)`; it raises if it does not hold."""
    return jwa.JWA.signing_alg(name)
