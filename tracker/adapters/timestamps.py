"""Time stamps of an RFC 3161 authority. This is the only module that imports `rfc3161_client`, which is optional.

What is taken is only an answer to our own question: granted, about this very text, with our nonce. Whether the authority is one
to be believed is for whoever verifies the token later, against a certificate of their own choice.

Spec: RFC 3161 sections 2.4 (the messages) and 3.4 (over HTTP).
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

import aiohttp
import rfc3161_client as rfc3161
from cryptography import x509

from tracker.domain.checkpoint_errors import TimestampError

_SECONDS: Final = 10.0
_MAX_BYTES: Final = 262_144
_CONTENT_TYPE: Final = "application/timestamp-query"
_OK: Final = 200
_SHA256: Final = x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1")


class Rfc3161Authority:
    """Implements `ports.TimestampAuthority`."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def stamp(self, text: bytes) -> bytes:
        """Have the SHA-256 of a text stamped."""
        builder = rfc3161.TimestampRequestBuilder(data=text, hash_algorithm=rfc3161.HashAlgorithm.SHA256)
        request = builder.build()
        answer = await self._post(request.as_bytes())
        try:
            response = rfc3161.decode_timestamp_response(answer)
            status = rfc3161.PKIStatus(response.status)
            if status is not rfc3161.PKIStatus.GRANTED:
                raise TimestampError(f"The time-stamping authority answered {status.name.lower()}.")
            info = response.tst_info
            imprint = info.message_imprint
            is_ours = (
                imprint.hash_algorithm == _SHA256
                and imprint.message == sha256(text).digest()
                and info.nonce == request.nonce
            )
        except ValueError as error:
            raise TimestampError("The time-stamping authority did not answer with a time stamp.") from error
        if not is_ours:
            raise TimestampError("The time-stamping authority stamped something else.")
        return answer

    async def _post(self, body: bytes) -> bytes:
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False) as session,
                session.post(
                    self._url, data=body, headers={"Content-Type": _CONTENT_TYPE}, allow_redirects=False
                ) as response,
            ):
                if response.status != _OK:
                    raise TimestampError(f"The time-stamping authority answered with status {response.status}.")
                answer = bytearray()
                async for piece in response.content.iter_any():
                    answer += piece
                    if len(answer) > _MAX_BYTES:
                        raise TimestampError("The time-stamping authority sent too much.")
                return bytes(answer)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise TimestampError(f"The time-stamping authority could not be asked ({type(error).__name__}).") from error


def certificates_in(pem: bytes) -> list[x509.Certificate]:
    """Read certificates.

    Raises:
        TimestampError: There is none, or one that cannot be read.
    """
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise TimestampError("The certificates of time-stamping authorities are not PEM.") from error


def stamped_at(token: bytes, text: bytes, roots: Sequence[x509.Certificate]) -> datetime:
    """Check a time stamp offline, against the authorities that are trusted.

    Args:
        token: A DER TimeStampResp with the authority's certificate in it.
        text: What it is to be of.
        roots: Certificates, one of which the authority's own must come from.

    Raises:
        TimestampError: It is none, not of this text, or of nobody who is trusted.
    """
    builder = rfc3161.VerifierBuilder()
    for root in roots:
        builder = builder.add_root_certificate(root)
    try:
        response = rfc3161.decode_timestamp_response(token)
        builder.build().verify_message(response, text)
        at = response.tst_info.gen_time
    except (ValueError, rfc3161.VerificationError) as error:
        raise TimestampError(f"The time stamp does not hold: {error}") from error
    return at
