"""A contiguous part of the journal in the tree: what lies left and right of it, and the root that they give together.

Spec: RFC 6962 section 2.1: the tree over all leaves is made of the complete subtrees over the leaves before the part, of its own
leaves, and of the complete subtrees over those after it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tracker.journal.tiles import covering
from tracker.journal.tree import Frontier


@dataclass(frozen=True, slots=True)
class Around:
    """What ties a contiguous part of the journal to the tree: the roots of the complete subtrees beside it.

    Attributes:
        left: Of the leaves before the part, as `tiles.covering` cuts them, the first leaves first.
        right: Of the leaves after it.
    """

    left: tuple[bytes, ...]
    right: tuple[bytes, ...]


def begun(first: int, left: Sequence[bytes]) -> Frontier:
    """Stand before a part's first entry.

    Args:
        first: Its sequence.
        left: The roots of the complete subtrees over the entries before, as `tiles.covering` cuts them.

    Raises:
        ValueError: These are not as many as there are.
    """
    return Frontier(first - 1, left)


def before(first: int, left: Sequence[bytes]) -> Iterator[Frontier]:
    """Where the trees ended that end with one of the subtrees before a part, but for the last: their roots are known too.

    Args:
        first: The sequence of the part's first entry.
        left: As `begun` has taken them.
    """
    size = first - 1
    for count in range(len(left) - 1, 0, -1):
        size &= size - 1
        yield Frontier(size, left[:count])


def after(frontier: Frontier, right: Sequence[bytes], size: int) -> Iterator[Frontier]:
    """The same behind each of the subtrees after a part; the last of them is the whole tree.

    Args:
        frontier: Behind the part's last entry.
        right: The roots of the complete subtrees over the entries after.
        size: How many entries the journal has.

    Raises:
        ValueError: These are not as many as there are.
    """
    whole = Frontier(frontier.size, frontier.peaks)
    for node, hashed in zip(covering(frontier.size, size), right, strict=True):
        whole.append(hashed, node.height)
        yield whole


def closed(frontier: Frontier, right: Sequence[bytes], size: int) -> bytes:
    """Add what comes after a part, and give the root of the whole tree.

    Args:
        frontier: Behind its last entry.
        right: The roots of the complete subtrees over the entries after.
        size: How many entries the journal has.

    Raises:
        ValueError: These are not as many as there are.
    """
    whole = frontier
    for whole in after(frontier, right, size):  # noqa: B007 - the last one counts
        pass
    return whole.root()
