"""JSON that every writer writes alike: what nearly all messages are made of, and what can be told quickly."""

from typing import Any, Final

_DEEPEST: Final = 32
_EXACT: Final = 2**53


def is_plain(value: Any) -> bool:
    """Whether a value is JSON without anything special: for such a value the quick way to write or check it is exact.

    Args:
        value: Anything.

    Returns:
        True only if it is made of None, bool, texts that have a UTF-8 form, integers that are exact as doubles, and lists and
        dicts of these, no deeper than 32 levels, the names all ASCII. No fractions, and of subclasses only those of str, for
        values: the words of an enumeration.
    """
    kind = type(value)
    if kind is dict:
        return _is_plain_object(value, 1)
    if kind is list:
        return _are_plain(value, 1)
    return _are_plain((value,), 0)


def _is_plain_object(members: dict[Any, Any], depth: int) -> bool:
    try:
        if not "".join(members).isascii():
            return False
    except TypeError:  # a name that is no text
        return False
    return _are_plain(members.values(), depth)


def _are_plain(values: Any, depth: int) -> bool:
    for value in values:
        kind = type(value)
        if kind is str:
            if not value.isascii() and not _has_utf8_form(value):
                return False
        elif kind is dict:
            if depth == _DEEPEST or not _is_plain_object(value, depth + 1):
                return False
        elif kind is list:
            if depth == _DEEPEST or not _are_plain(value, depth + 1):
                return False
        elif kind is int:
            if not -_EXACT <= value <= _EXACT:
                return False
        elif kind is not bool and value is not None and not (isinstance(value, str) and value.isascii()):
            return False
    return True


def _has_utf8_form(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
