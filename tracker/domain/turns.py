"""Who may be asked about first when not all can be: the doubtful, but nobody never.

Pure. Lines are served in their order of importance, and each but the last leaves a part to those behind it as long as they have
anything to ask. What one line cannot use, the others have. Of parts of a question chance decides, so that a budget of one
question at a time serves all lines too.
"""

from collections.abc import Callable, Sequence
from typing import Final

A_QUARTER: Final = 0.25
HALF: Final = 0.5


def shares(room: int, waiting: Sequence[int], left: Sequence[float], fraction: Callable[[], float]) -> list[int]:
    """Say how many of each line may go.

    What is left over is never lost: together they are as many as there is room for, or all that wait.

    Args:
        room: How many may go in all.
        waiting: How many there are in each line, the most important first.
        left: For each line but the last, which part of the room it leaves to those behind it, if they can use it.
        fraction: Gives random numbers from 0 up to 1.

    """
    given: list[int] = []
    for place, count in enumerate(waiting):
        behind = sum(waiting[place + 1 :])
        kept = 0
        if behind and place < len(left):
            kept = min(behind, int(room * left[place] + fraction()))
        given.append(min(count, room - kept))
        room -= given[-1]
    return given
