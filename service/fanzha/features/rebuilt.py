"""Which of a subject's changes a rebuilt state holds: all that are on record, each once.

After a loss a state went on from an older one, or from none. What was forgotten then happened all
the same, and counts again in a rebuilt state; unless it was sent a second time after the loss: then
only that second time counts. Service and training share this rule, so that training knows which
state a rebuilt one was.
"""

from collections.abc import Sequence
from typing import Final

REBUILT_EVERY: Final = 2**20
"""Sequences that are multiples of it are those of rebuilt states; bases of epochs are, too."""


def is_rebuilt(seq: int) -> bool:
    """Say whether a sequence can be that of a rebuilt state."""
    return seq > 0 and seq % REBUILT_EVERY == 0


def held_by_rebuilt(
    seq: Sequence[int], follows: Sequence[int], content: Sequence[bytes]
) -> list[int]:
    """Return which changes a state holds that was rebuilt after them, as indices, ascending.

    Args:
        seq: sequences of all changes of one subject below the rebuilt one, ascending.
        follows: the sequence that each follows.
        content: what each change is: its kind and its record.
    """
    first, earlier, numbers = 0, list[int](), set(seq)
    rebuilt = [i for i in range(len(seq)) if is_rebuilt(follows[i]) and follows[i] not in numbers]
    if rebuilt:
        base = follows[rebuilt[-1]]
        first = sum(1 for number in seq if number < base)
        # What that state left out is no part of anything that follows.
        earlier = held_by_rebuilt(seq[:first], follows[:first], content[:first])
    alive = _alive(seq, follows, first)
    branch, branches, newest = 0, list[int](), dict[bytes, int]()
    for i in range(first, len(seq)):
        branch += i > first and follows[i] != seq[i - 1]
        branches.append(branch)
        newest[content[i]] = branch
    kept = [
        i for i in range(first, len(seq)) if i in alive or newest[content[i]] == branches[i - first]
    ]
    if first and not any(is_rebuilt(follows[i]) and i in alive for i in rebuilt):
        # The state that was rebuilt was lost itself; what was made again since counts once.
        earlier = [i for i in earlier if content[i] not in newest]
    return earlier + kept


def _alive(seq: Sequence[int], follows: Sequence[int], first: int) -> set[int]:
    """Return the changes that the newest one goes back to, down to a rebuilt or empty state."""
    place = {seq[i]: i for i in range(first, len(seq))}
    alive: set[int] = set()
    at = len(seq) - 1 if len(seq) > first else None
    while at is not None:
        alive.add(at)
        at = place.get(follows[at])
    return alive
