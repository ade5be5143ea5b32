"""The worker's own copy of the hard list entries, for while Redis is away.

Involved accounts (涉案账户) block by law, whether Redis answers or not. So each import leaves its
entries on accounts and verified billers a second time in a compact form, and each worker follows
these: sorted columns, 46 bytes an entry. Entries that ended, that a newer one covers, or that are
no hard evidence are not kept, so that the copy says what Redis would.
"""

import logging
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fanzha.adapters import keys
from fanzha.adapters.redis_link import Command, RedisLink
from fanzha.domain.evidence import WatchlistEntry
from fanzha.domain.vocabulary import WatchlistGrade, WatchlistKind

log = logging.getLogger(__name__)

_ROW: Final = Struct("<16sBBqq")
_STORED: Final = np.dtype(
    [("token", "S16"), ("kind", "u1"), ("grade", "u1"), ("begins", "<i8"), ("ends", "<i8")]
)
"""A row as it lies in Redis. Numpy drops zero bytes at the end of a token, in comparisons of 16
bytes each that changes nothing."""
_KEPT: Final = np.dtype([*_STORED.descr, ("order", "<i4")])
"""A row in memory; `order` is that of its import's commit."""
_KINDS: Final = (WatchlistKind.ACCOUNT, WatchlistKind.VERIFIED_BILLER)
_HEAD_BYTES: Final = 8
_GROUPS_AT_ONCE: Final = 20
_UPLOAD_MS: Final = 24 * 3_600_000
"""What an import left that was cut off is gone after so long."""

Rows = npt.NDArray[Any]
NO_ROWS: Final[Rows] = np.empty(0, _KEPT)


def hard_rows(entries: Iterable[tuple[bytes, WatchlistEntry]]) -> bytes:
    """Return the entries that workers follow, packed.

    These are all on accounts, whatever their grade: a milder one lifts an involved one.
    """
    return b"".join(
        _ROW.pack(token, entry.kind, entry.grade, entry.valid_from_ms, entry.valid_until_ms)
        for token, entry in entries
        if entry.kind in _KINDS
    )


def list_field(kind: int, import_id: str) -> bytes:
    """Return the name of an import's entry of a kind, beside the token that it names."""
    return b"%d|%b" % (kind, import_id.encode())


def renamed(rows: bytes, name: Callable[[bytes], bytes]) -> bytes:
    """Return packed rows with other tokens, for a copy under a new key."""
    return b"".join(_ROW.pack(name(token), *rest) for token, *rest in _ROW.iter_unpack(rows))


def expires(import_id: str) -> Command:
    """Return the command that lets go of an import's rows unless it takes effect."""
    return ("PEXPIRE", keys.hard_list(import_id), _UPLOAD_MS)


def keeps(import_id: str) -> Command:
    """Return the command that makes an import's rows stay; it goes before the commit."""
    return ("PERSIST", keys.hard_list(import_id))


@dataclass(frozen=True, slots=True)
class Import:
    """One import in effect."""

    name: bytes
    order: int


def _order(one: Import) -> int:
    return one.order


class HardLists:
    """The copy: follows the imports in effect; read by all threads without a lock."""

    def __init__(self, link: RedisLink, rows_max: int) -> None:
        """Begin empty.

        Args:
            link: connection to Redis.
            rows_max: entries kept at most; beyond, those of the oldest imports are left out.
        """
        self._link = link
        self._rows_max = rows_max
        self._rows = NO_ROWS
        self._heads = heads_of(NO_ROWS)
        self._names: dict[int, str] = {}
        self._loaded: frozenset[Import] = frozenset()
        self._history = b""
        self._is_doubted = False
        self._lock = threading.Lock()
        self.has_forgotten = False
        """Redis names no longer all imports that it named before, and nothing newer."""
        self.is_full = False
        """Not all entries fit."""

    def __len__(self) -> int:
        """Return how many entries are kept."""
        return len(self._rows)

    def doubt(self) -> None:
        """Read everything anew when next asked: another process serves the data."""
        self._is_doubted = True

    def follow(self, imports: Iterable[Import], history: bytes, now_ms: int) -> None:
        """Take over what is in effect.

        Args:
            imports: all imports in effect.
            history: names the Redis that the first of them was made in; another one when lists
                began anew, with the same names of imports.
            now_ms: milliseconds since 1970 UTC; what ended before is let go.

        Raises:
            StoreUnavailableError: Redis went away; the copy is as it was.
        """
        with self._lock:
            present = frozenset(imports)
            if present < self._loaded and (history == self._history or not present):
                self._keep(len(self._loaded - present))
                return
            new = sorted(present - self._loaded, key=_order)
            newest = max((one.order for one in self._loaded), default=-1)
            is_anew = self._is_doubted or history != self._history or not self._loaded <= present
            is_anew |= bool(new) and new[0].order < newest
            if new or is_anew:
                self._is_doubted = False
                try:
                    self._take(sorted(present, key=_order) if is_anew else new, now_ms, is_anew)
                except BaseException:
                    self._is_doubted = True
                    raise
                self._loaded, self._history = present, history
            self.has_forgotten = False

    def _keep(self, lost: int) -> None:
        """Nobody takes an import back: Redis lost it, and what is known counts as ever."""
        if not self.has_forgotten:
            log.critical(
                "Redis no longer has %d of %d list imports that it had; accounts known to be "
                "involved still block, and answers name LISTS as missing; fill Redis again with "
                "fanzha state rebuild, or import the lists again",
                lost, len(self._loaded)
            )  # fmt: skip
        self.has_forgotten = True

    def _take(self, imports: list[Import], now_ms: int, is_anew: bool) -> None:  # noqa: FBT001
        parts = [NO_ROWS if is_anew else self._rows]
        parts += [self._read(one) for one in imports]
        rows = condensed(np.concatenate(parts), now_ms)
        kept = newest_rows(rows, self._rows_max)
        if (is_full := len(kept) < len(rows)) and not self.is_full:
            log.error(
                "only %d of %d hard list entries fit into the worker's copy; raise "
                "FANZHA_HARD_LISTS_MAX", len(kept), len(rows)
            )  # fmt: skip
        names = {one.order: one.name.decode() for one in imports}
        self._names = names if is_anew else self._names | names
        self._heads = heads_of(kept)
        self._rows, self.is_full = kept, is_full

    def _read(self, one: Import) -> Rows:
        place = keys.hard_list(one.name.decode())
        groups = sorted(self._link.run([("HKEYS", place)])[0], key=int)
        found = []
        for start in range(0, len(groups), _GROUPS_AT_ONCE):
            wanted = groups[start : start + _GROUPS_AT_ONCE]
            found += self._link.run([("HMGET", place, *wanted)])[0]
        stored = np.frombuffer(b"".join(group for group in found if group), _STORED)
        rows = np.empty(len(stored), _KEPT)
        for name in _STORED.names or ():
            rows[name] = stored[name]
        rows["order"] = one.order
        return rows

    def knows(self, token: bytes) -> bool:
        """Say whether entries on an account may be kept here: what is seldom so is said fast."""
        heads, head = self._heads, int.from_bytes(token[:_HEAD_BYTES])
        place = bisect_left(heads, head)
        return place < len(heads) and heads[place] == head

    def find(self, token: bytes) -> list[WatchlistEntry]:
        """Return the entries on an account, in the order of their commits, ended ones too."""
        return [self._entry(row) for row in sorted(self._of(token), key=lambda x: x["order"])]

    def fields(self, token: bytes) -> set[bytes]:
        """Return under which names Redis holds the entries on an account that are kept here."""
        names = self._names
        return {
            list_field(int(row["kind"]), names[int(row["order"])])
            for row in self._of(token)
            if int(row["order"]) in names
        }

    def _of(self, token: bytes) -> Rows:
        rows, wanted = self._rows, np.bytes_(token)
        tokens = rows["token"]
        first, last = (int(tokens.searchsorted(wanted, side)) for side in ("left", "right"))
        return rows[first:last]

    def _entry(self, row: Any) -> WatchlistEntry:  # noqa: ANN401 - a row of numpy
        name = self._names.get(int(row["order"]), "")
        return WatchlistEntry(
            kind=WatchlistKind(int(row["kind"])),
            grade=WatchlistGrade(int(row["grade"])),
            source=f"copy of {name}",
            case_number="",
            legal_basis="",
            valid_from_ms=int(row["begins"]),
            valid_until_ms=int(row["ends"]),
            proposed_by="",
            approved_by="",
        )


def heads_of(rows: Rows) -> Sequence[int]:
    """Return the first 8 bytes of the tokens of sorted rows as numbers, 8 bytes an entry.

    Python's bisect finds one in a microsecond, where numpy takes ten for the tokens themselves.
    """
    tokens = np.ascontiguousarray(rows["token"]).view(">u8").reshape(-1, 2)
    heads: Any = tokens[:, 0].astype(np.uint64)
    return memoryview(heads)


def condensed(rows: Rows, now_ms: int) -> Rows:
    """Return the rows that can still decide anything from now on, sorted by token.

    Args:
        rows: of any order.
        now_ms: milliseconds since 1970 UTC.
    """
    rows = rows[rows["ends"] > now_ms]
    rows = rows[np.lexsort((rows["order"], rows["kind"], rows["token"]))]
    if len(rows) > 1:
        one, newer = rows[:-1], rows[1:]
        is_same = (one["token"] == newer["token"]) & (one["kind"] == newer["kind"])
        is_covered = is_same & (newer["begins"] <= np.maximum(one["begins"], now_ms))
        is_covered &= newer["ends"] >= one["ends"]
        # Named twice in one import: the later one counts.
        is_covered |= is_same & (newer["order"] == one["order"])
        rows = rows[np.append(~is_covered, True)]
    return _hard(rows)


def _hard(rows: Rows) -> Rows:
    """Leave out accounts without an involved entry: nothing milder is hard evidence."""
    is_biller = rows["kind"] == WatchlistKind.VERIFIED_BILLER
    involved = rows["token"][~is_biller & (rows["grade"] == WatchlistGrade.INVOLVED)]
    if not len(involved):
        billers: Rows = rows[is_biller]
        return billers
    # Sorted already; a milder entry stays where it may lift an involved one.
    place = np.minimum(involved.searchsorted(rows["token"]), len(involved) - 1)
    kept: Rows = rows[is_biller | (involved[place] == rows["token"])]
    return kept


def newest_rows(rows: Rows, rows_max: int) -> Rows:
    """Return at most so many rows, sorted by token; all of a token's or none.

    Those of the newest imports stay: an account that was just listed is the likelier to be used.
    """
    if len(rows) <= rows_max:
        return rows
    _, first, group = np.unique(rows["token"], return_index=True, return_inverse=True)
    newest = np.maximum.reduceat(rows["order"], first)
    sizes = np.diff(np.append(first, len(rows)))
    by_age = np.argsort(-newest.astype(np.int64), kind="stable")
    fits = np.cumsum(sizes[by_age]) <= rows_max
    is_kept = np.zeros(len(first), bool)
    is_kept[by_age[fits]] = True
    return rows[is_kept[group]]
