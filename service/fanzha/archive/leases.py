"""Shares the buckets out among the archivers of one Redis.

A lease spares work and nothing else: two archivers that hold the same bucket race for the log, and
one of them finds that it came too late. So plain reads and writes suffice, without scripts.
"""

import os
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from fanzha.adapters import keys
from fanzha.adapters.redis_link import Command, RedisLink
from fanzha.domain.errors import StoreUnavailableError
from fanzha.domain.ids import BUCKETS

LEASE_MS: Final = 10_000


def archiver_name() -> str:
    """Return a name for this archiver: machine, process, and something that is used once."""
    return f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"


class Leases:
    """The buckets that one archiver works on."""

    def __init__(
        self, link: RedisLink, now_ms: Callable[[], int], lease_ms: int = LEASE_MS
    ) -> None:
        self._link = link
        self._now_ms = now_ms
        self._lease_ms = lease_ms
        self._next_s = 0.0
        self.name = archiver_name()
        self.mine: set[int] = set()

    def take(self, wanted: Iterable[int] | None = None) -> set[int]:
        """Renew what is held, take what is free up to a fair share, give up what is above it.

        Args:
            wanted: the buckets that there is work in; None: all.

        Returns:
            The wanted buckets that are held.

        Raises:
            StoreUnavailableError: Redis did not answer.
        """
        chosen = set(range(BUCKETS)) if wanted is None else set(wanted)
        lacks = wanted is not None and not chosen <= self.mine
        if lacks or time.monotonic() >= self._next_s:
            self._renew(chosen)
            self._next_s = time.monotonic() + self._lease_ms / 3000
        return chosen & self.mine

    def _renew(self, chosen: set[int]) -> None:
        now_ms = self._now_ms()
        replies = self._link.run([
            ("ZADD", keys.archivers(), now_ms, self.name),
            ("ZREMRANGEBYSCORE", keys.archivers(), "-inf", now_ms - 3 * self._lease_ms),
            ("ZRANGE", keys.archivers(), 0, -1),
            *(("GET", keys.lease(bucket)) for bucket in range(BUCKETS)),
        ])  # fmt: skip
        names = {name.decode() for name in replies[2]}
        alive = {name for name in names if not _is_dead(name)}
        if gone := names - alive:
            self._link.run([("ZREM", keys.archivers(), *gone)])
        holders = [held.decode() if held else None for held in replies[3:]]
        self.mine = {bucket for bucket, held in enumerate(holders) if held == self.name}
        fair = -(-BUCKETS // max(1, len(alive)))
        ordered = sorted(self.mine, key=lambda bucket: (bucket not in chosen, bucket))
        self._give_up(ordered[fair:])
        free = [
            bucket
            for bucket in sorted(chosen - self.mine)
            if (held := holders[bucket]) is None or _is_dead(held)
        ]
        self._claim(free[: max(0, fair - len(self.mine))], holders)

    def _claim(self, free: list[int], holders: list[str | None]) -> None:
        renew: list[Command] = [
            ("PEXPIRE", keys.lease(bucket), self._lease_ms) for bucket in self.mine
        ]
        # What a dead process holds is taken without waiting for its lease to end.
        claim: list[Command] = [
            ("SET", keys.lease(bucket), self.name, "PX", self._lease_ms)
            if holders[bucket]
            else ("SET", keys.lease(bucket), self.name, "NX", "PX", self._lease_ms)
            for bucket in free
        ]
        replies = self._link.run([*renew, *claim]) if renew or claim else []
        for bucket, reply in zip(free, replies[len(renew) :], strict=True):
            if reply:
                self.mine.add(bucket)

    def _give_up(self, buckets: Iterable[int]) -> None:
        given = list(buckets)
        if given:
            self._link.run([("DEL", keys.lease(bucket)) for bucket in given])
            self.mine.difference_update(given)

    def release(self) -> None:
        """Give up everything, so that others need not wait; Redis may be away."""
        with suppress(StoreUnavailableError):
            held = self._link.run([("GET", keys.lease(bucket)) for bucket in range(BUCKETS)])
            me = self.name.encode()
            self._give_up(bucket for bucket, name in enumerate(held) if name == me)
            self._link.run([("ZREM", keys.archivers(), self.name)])
        self.mine = set()


def _is_dead(name: str) -> bool:
    """Say whether an archiver ran on this machine and is gone; of other machines nobody knows."""
    host, pid, _ = [*name.rsplit(":", 2), "", ""][:3]
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
