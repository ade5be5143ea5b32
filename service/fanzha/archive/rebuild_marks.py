"""Which buckets of a Redis are being rebuilt: marks that keep everyone else out meanwhile.

A marked bucket has no epoch, and gets none: the service's scripts refuse to read or to change it,
so that workers answer as if Redis were away. All marks are set before the first state is written,
and all states are there before the first mark goes.
"""

import secrets
from collections.abc import Callable
from typing import Final

from fanzha.adapters import keys
from fanzha.adapters.codec import encode
from fanzha.adapters.redis_link import Command, RedisLink
from fanzha.domain.errors import SetupError
from fanzha.domain.ids import BUCKETS
from fanzha.domain.record import StateRebuildRecord
from fanzha.features.rebuilt import REBUILT_EVERY

_LISTS: Final = (
    keys.LIST_IMPORTS,
    keys.LIST_COMMITS,
    keys.LIST_COUNTER,
    keys.LIST_PROPOSALS,
    keys.LIST_PROPOSAL_COUNTER,
)
_FULL: Final = (
    "this Redis is not empty, and what it holds would be lost: fanzha archive what is there, stop "
    "the workers, empty it (FLUSHALL), and start the rebuild again"
)


class Marks:
    """The marks of one Redis."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._name = secrets.token_hex(8).encode()

    def begin(self, seq_max: int, now_s: int) -> tuple[list[int], bool]:
        """Mark all buckets, or find them marked by a rebuild that was cut off.

        Args:
            seq_max: the largest sequence in the archive.
            now_s: wall clock, unix seconds.

        Returns:
            The sequence of the states to rebuild, by bucket; and whether all of them are there.

        Raises:
            SetupError: Redis holds something already.
            StoreUnavailableError: Redis is away.
        """
        held = self._link.run([("GET", keys.rebuilding(bucket)) for bucket in range(BUCKETS)])
        if any(mark is not None and mark.startswith(b"+") for mark in held):
            if all(mark is None or mark.startswith(b"+") for mark in held):
                return [], True
        elif not any(held):
            self._check_empty()
        # Whoever was at this before stops at its next write, should it only have been frozen.
        self._link.run([("SET", keys.LISTS_REBUILDING, self._name)])
        base = max(now_s, -(-(seq_max + 1) // REBUILT_EVERY)) * REBUILT_EVERY
        marks = self._link.run([self._call(b, "begin", base) for b in range(BUCKETS)])
        if not all(marks):
            raise SetupError(_FULL)
        bases = [int(mark.lstrip(b"+")) for mark in marks]
        if min(bases) <= seq_max:
            raise SetupError(
                "a rebuild from an older archive was begun here: empty this Redis (FLUSHALL), and "
                "start the rebuild again"
            )
        return bases, False

    def write(self, commands: list[Command]) -> None:
        """Run commands that write what is rebuilt, as long as no other rebuild has taken over.

        One that was suspended while another did its work would write over what workers wrote since.

        Raises:
            SetupError: another one has taken over, or is done.
            StoreUnavailableError: Redis is away.
        """
        if commands:
            self._check_mine()
            self._link.run(commands)

    def _check_mine(self) -> None:
        (held,) = self._link.run([("GET", keys.LISTS_REBUILDING)])
        if held != self._name:
            raise SetupError(
                "another rebuild of this Redis was started after this one, or is done already; "
                "this one ends, and changes nothing more"
            )

    def _check_empty(self) -> None:
        looks: list[Command] = [
            ("EXISTS", keys.journal(b), keys.outbox(b), keys.archived(b)) for b in range(BUCKETS)
        ]
        looks.append(("EXISTS", *_LISTS))
        if any(self._link.run(looks)):
            raise SetupError(_FULL)

    def note(
        self, record_of: Callable[[int], StateRebuildRecord], newest: dict[int, str], now_ms: int
    ) -> None:
        """Journal that the states are there, and set the archive's cursors.

        Args:
            record_of: what to journal for a bucket.
            newest: id of the newest entry of each bucket's journal that is in the archive.
            now_ms: milliseconds since 1970 UTC.

        Raises:
            SetupError: another rebuild has taken over.
            StoreUnavailableError: Redis is away.
        """
        self._check_mine()
        calls = []
        for bucket in range(BUCKETS):
            cursor = newest.get(bucket, "")
            entry_ms = max(now_ms, int(cursor.partition("-")[0] or 0) + 1)
            body = encode(record_of(bucket))
            calls.append(self._call(bucket, "note", f"{entry_ms}-0", body, cursor))
        self._link.run(calls)

    def end(self) -> None:
        """Open all buckets; the next connection of a worker begins their epochs."""
        self._link.run([self._call(bucket, "end") for bucket in range(BUCKETS)])
        self._link.run([("DEL", keys.LISTS_REBUILDING)])

    def _call(self, bucket: int, *args: object) -> Command:
        own = (
            keys.epoch(bucket),
            keys.lineage(bucket),
            keys.rebuilding(bucket),
            keys.journal(bucket),
            keys.outbox(bucket),
            keys.archived(bucket),
        )
        return self._link.scripts.call("rebuild", own, args)
