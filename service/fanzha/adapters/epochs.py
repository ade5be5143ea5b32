"""Epochs: why a sequence is never given twice, even after Redis forgot something.

A Redis process is named by its run id. Whenever a bucket is served by another process than before
(a restart, a failover, a moved slot), its newest writes may be gone, and numbers that were given
may be free again. So a new epoch begins: a base that all further sequences of the bucket lie above.
Bases are unix seconds times 2**20, below 2**53 until the year 2242, as Lua's numbers are doubles.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from fanzha.adapters import keys

NO_EPOCH: Final = "NOEPOCH"
"""How the error begins by which a script refuses to change a bucket that has no epoch."""


class Began(IntEnum):
    """What became of a bucket's epoch."""

    UNCHANGED = 0
    """The bucket is served by the process that served it before; or it is being rebuilt from the
    archive, and its base is 0."""
    NEW = 1
    """Another process: it may have forgotten the newest writes."""
    FIRST = 2
    """The bucket held nothing: Redis is new, or has forgotten everything."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """A bucket's epoch, and whether it has just begun."""

    bucket: int
    base: int
    began: Began


def epoch_calls(
    buckets: Iterable[int], run_id: str, now_s: int, known_base: int = 0
) -> list[tuple[tuple[bytes, ...], tuple[object, ...]]]:
    """Return keys and arguments of the script `epoch`, one call for each bucket.

    Args:
        buckets: those that one Redis process serves.
        run_id: of that process.
        now_s: wall clock, unix seconds.
        known_base: the largest base that this worker has ever seen; a clock that was set back after
            Redis lost everything must not begin an epoch a second time.
    """
    return [
        (
            (keys.epoch(bucket), keys.lineage(bucket), keys.rebuilding(bucket)),
            (run_id, now_s, known_base),
        )
        for bucket in buckets
    ]


def epoch_of(bucket: int, reply: list[Any]) -> Epoch:
    """Read what the script says about a bucket."""
    return Epoch(bucket, int(reply[1]), Began(int(reply[0])))
