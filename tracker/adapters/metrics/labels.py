"""Labels of a bounded set, whatever comes in: each new one costs memory for ever, here and where it is stored."""

import re
from typing import Final

OTHER: Final = "other"
_WORD = re.compile(r"[a-z][a-z0-9_]{0,47}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Words:
    """Lets words of our code pass, up to so many different ones.

    All of them come from our code. If one ever held what somebody chose, this is where it would stop.
    """

    def __init__(self, most: int = 100) -> None:
        self._most = most
        self._known: set[str] = set()

    def word(self, text: str) -> str:
        """Give a word as it is, or "other"; an empty one is none."""
        if text in self._known or not text:
            return text
        if len(self._known) >= self._most or _WORD.fullmatch(text) is None:
            return OTHER
        self._known.add(text)
        return text


def method(text: str) -> str:
    """Give a method that HTTP knows; a stranger may have sent any word."""
    return text if text in _METHODS else OTHER
