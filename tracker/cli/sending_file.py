"""The file that says how a subscriber is to be told. Secrets in it would be in everybody's list of processes as options."""

from pathlib import Path

from pydantic import ValidationError

from tracker.domain import strict_json
from tracker.domain.errors import InvalidRequestError
from tracker.domain.sending import Sending
from tracker.web.api.shapes.sending import SendingIn

_OTHERS = 0o077


def read_sending(path: Path) -> Sending:
    """Read the file.

    Raises:
        InvalidRequestError: It cannot be used: one sentence, and no value in it.
    """
    try:
        if path.stat().st_mode & _OTHERS:
            raise InvalidRequestError(f"{path} is open to others, and may hold secrets; run `chmod 600 {path}`.")
        text = path.read_bytes()
    except OSError as error:
        raise InvalidRequestError(f"{path} cannot be read ({error.strerror}); correct the path.") from error
    try:
        strict_json.loads(text)
        return SendingIn.model_validate_json(text).sending()
    except strict_json.NotStrictJsonError as error:
        raise InvalidRequestError(f"{path} is not JSON.") from error
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)[0]
        # A name that is not known may be a secret that stands in its place.
        place = ".".join(str(part) for part in found["loc"][:1]) if found["type"] != "extra_forbidden" else "a member"
        raise InvalidRequestError(f"{path}: {place}: {found['msg']}.") from error
