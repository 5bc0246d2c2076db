"""Whether checkpoints are stamped, and by whom. What that takes is imported here at the earliest, and only if it is used."""

from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from tracker.domain.checkpoint_errors import TimestampError
from tracker.domain.errors import ConfigurationError, InvalidRequestError
from tracker.journal.checkpoint import NoteError, parse_note
from tracker.journal.manifest import MANIFEST_NAME, BrokenExportError, parse_manifest
from tracker.ports.checkpoints import TimestampAuthority
from tracker.settings_audit import AuditSettings


def authority_of(audit: AuditSettings) -> TimestampAuthority | None:
    """Who stamps; None: nobody.

    Raises:
        ConfigurationError: What is needed for it is not installed.
    """
    if audit.timestamp_url is None:
        return None
    if find_spec("rfc3161_client") is None:
        raise ConfigurationError(
            "[audit] timestamp_url needs rfc3161-client, which is not installed; "
            'install it with `python3 -m pip install ".[timestamp]"` in the checkout, or take the URL out.'
        )
    from tracker.adapters.timestamps import Rfc3161Authority  # noqa: PLC0415 - optional

    return Rfc3161Authority(audit.timestamp_url)


def stamp_of(folder: Path, token: Path, authorities: Path) -> datetime:
    """When an export's checkpoint was stamped, by an authority that is trusted. Offline.

    Args:
        folder: The export.
        token: What the authority said, a DER TimeStampResp.
        authorities: PEM bundle of the certificates that are trusted.

    Raises:
        InvalidRequestError: A file cannot be read, or what checks time stamps is not installed.
        TimestampError: It does not hold, or the export has no checkpoint.
    """
    if find_spec("rfc3161_client") is None:
        raise InvalidRequestError('Checking time stamps needs rfc3161-client: `python3 -m pip install ".[timestamp]"`.')
    from tracker.adapters.timestamps import certificates_in, stamped_at  # noqa: PLC0415 - optional

    try:
        said, trusted = token.read_bytes(), certificates_in(authorities.read_bytes())
        note = parse_manifest((folder / MANIFEST_NAME).read_bytes()).checkpoint
        text = None if note is None else parse_note(note).text
    except OSError as error:
        raise InvalidRequestError(f"{error.filename} cannot be read: {error.strerror}.") from error
    except (BrokenExportError, NoteError) as error:
        raise TimestampError(str(error)) from error
    if text is None:
        raise TimestampError("The export has no checkpoint that could have been stamped.")
    return stamped_at(said, text.encode(), trusted)
