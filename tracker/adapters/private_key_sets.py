"""Private JWK Sets in files of ours: what is wrong with one is said in a sentence that tells what to do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from tracker.adapters.private_files import ModePolicy, read_private
from tracker.domain import strict_json
from tracker.domain.errors import ConfigurationError

T = TypeVar("T")

_MOST_KEYS: Final = 10


def read_key_set(
    path: Path, kind: str, mode_policy: ModePolicy, read_one: Callable[[Any, str], tuple[str, T]]
) -> dict[str, T]:
    """Read a private JWK Set; its keys by their ids, in order.

    Args:
        path: The file.
        kind: What `tracker keys make` calls such keys.
        mode_policy: What to do if others may read it.
        read_one: Takes a member, and what it is called in a refusal; gives its id and the key.

    Raises:
        ConfigurationError: The file or one of its keys cannot be used.
    """
    make = f"`tracker keys make {kind}"
    data = read_private(path, f"make the file with {make} --out {path}`", mode_policy)
    try:
        document = strict_json.loads(data)
    except strict_json.NotStrictJsonError as error:
        raise ConfigurationError(f"The key file {path} is not JSON; make one with {make}`.") from error
    members = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list) or not 1 <= len(members) <= _MOST_KEYS:
        raise ConfigurationError(
            f'The key file {path} is not a JWK Set with a list "keys" of 1 to {_MOST_KEYS}; put the private keys there, '
            f"or make one with {make}`."
        )
    keys: dict[str, T] = {}
    for position, member in enumerate(members, start=1):
        kid, key = read_one(member, f"Key {position} in {path}")
        if kid in keys:
            raise ConfigurationError(f'Two keys in {path} have the "kid" {kid!r}; remove one of them.')
        keys[kid] = key
    return keys
