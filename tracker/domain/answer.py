"""The beginning of what an endpoint answered, as people may be shown it: an operator reads there what is wrong."""

from codecs import getincrementaldecoder
from typing import Final

MOST_BYTES: Final = 1024
"""So much of an answer is kept, at most; as text it has no more characters either."""


def shown(answer: bytes | None) -> str | None:
    """Make text of the first bytes of an answer, with everything written out that a terminal would obey or hide.

    Args:
        answer: What came; None or nothing: there is nothing to show.
    """
    if not answer:
        return None
    is_whole = len(answer) < MOST_BYTES  # half a letter at the cut says nothing
    text = getincrementaldecoder("utf-8")("backslashreplace").decode(answer[:MOST_BYTES], is_whole)
    told, length = list[str](), 0
    for character in text:
        piece = character if character.isprintable() else character.encode("unicode_escape").decode()
        length += len(piece)
        if length > MOST_BYTES:  # written out it is longer than it was
            break
        told.append(piece)
    return "".join(told)
