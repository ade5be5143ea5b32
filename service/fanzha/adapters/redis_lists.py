"""Watchlists in Redis: entries lie beside their token's bucket and count once their import does.

An import first writes its entries, each under its own import's name, and takes effect by one write
to the set of committed imports. So it is never seen in half, in any number of buckets.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice

from fanzha.adapters import keys
from fanzha.adapters.codec import decode_entry, encode
from fanzha.adapters.hard_lists import HardLists, Import, expires, hard_rows, keeps, list_field
from fanzha.adapters.redis_link import Command, RedisLink
from fanzha.domain.errors import StoreUnavailableError
from fanzha.domain.evidence import ListSubject, WatchlistEntry
from fanzha.domain.record import ListImportRecord

CHUNK = 1000
_JOURNAL_BUCKET = 0
_KIND = "list_import"
_COMMIT_KIND = "list_commit"
"""Kinds of the journal entries, `KIND_LIST_IMPORT` and `KIND_LIST_COMMIT` of the archive."""


class CommittedLists:
    """The imports in effect, and the copy of their hard entries; refreshed about every second."""

    def __init__(
        self,
        link: RedisLink,
        hard: HardLists | None = None,
        now_ms: Callable[[], int] = lambda: 0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Know nothing yet.

        Args:
            link: connection to Redis.
            hard: the copy of hard entries for while Redis is away; None: there is none.
            now_ms: the service's clock, milliseconds since 1970 UTC.
            monotonic: clock for the copy's age, in seconds.
        """
        self._link = link
        self._hard = hard
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._order: dict[bytes, int] | None = None
        self._read_s: float | None = None
        self.version = ""

    def refresh(self) -> None:
        """Read the imports in effect.

        Keeps the last ones when Redis is away, or is being rebuilt and does not hold them all yet.
        """
        try:
            is_rebuilt, flat, history = self._link.run(
                [
                    ("EXISTS", keys.LISTS_REBUILDING),
                    ("ZRANGE", keys.LIST_IMPORTS, 0, -1, "WITHSCORES"),
                    ("GET", keys.LIST_HISTORY),
                ]
            )
            if is_rebuilt:
                return
            self._order = {name: order for order, name in enumerate(flat[::2])}
            if self._hard is not None:
                pairs = zip(flat[::2], flat[1::2], strict=True)
                imports = [Import(name, int(score)) for name, score in pairs]
                self._hard.follow(imports, history or b"", self._now_ms())
        except StoreUnavailableError:
            return
        if not self.has_forgotten:
            self.version = _version(int(flat[-1])) if flat else "none"
            self._read_s = self._monotonic()

    @property
    def is_known(self) -> bool:
        """Say whether it was ever known which imports are in effect."""
        return self._order is not None

    @property
    def has_forgotten(self) -> bool:
        """Say whether Redis lost imports: what it says of the lists is not all."""
        return self._hard is not None and self._hard.has_forgotten

    def age_s(self) -> float | None:
        """Return how long ago the copy was known to be what Redis has, in seconds; None: never."""
        return None if self._read_s is None else self._monotonic() - self._read_s

    def copied(
        self, accounts: Iterable[tuple[ListSubject, bytes]]
    ) -> tuple[tuple[ListSubject, WatchlistEntry], ...]:
        """Return the hard entries on accounts that the worker itself holds, ended ones too."""
        if self._hard is None:
            return ()
        return tuple((subject, x) for subject, token in accounts for x in self._hard.find(token))

    def has_lost(self, account: bytes, flat: list[bytes]) -> bool:
        """Say whether Redis lacks entries on an account that it had.

        Nobody takes an entry back. So one that the copy knows was lost: a part of a Cluster may be
        emptied, and the imports in effect, which lie in another one, all be there.

        Args:
            account: its token.
            flat: what Redis holds of it.
        """
        if self._hard is None or not self._hard.knows(account):
            return False
        return not self._hard.fields(account) <= set(flat[::2])

    def copy_version(self) -> str:
        """Return the version of the copy with its age, empty when there is none."""
        age_s = self.age_s()
        if self._hard is None or age_s is None:
            return ""
        return f"{self.version}+copy.{int(age_s)}s"

    def entries(
        self, subjects: list[ListSubject], lists: list[list[bytes]]
    ) -> tuple[tuple[ListSubject, WatchlistEntry], ...] | None:
        """Return the entries of committed imports, in the order of their commits."""
        committed = self._order
        if committed is None:
            return None
        found: list[tuple[ListSubject, WatchlistEntry]] = []
        for subject, flat in zip(subjects, lists, strict=True):
            if not flat:
                continue
            ordered = [
                (order, body)
                for field, body in zip(flat[::2], flat[1::2], strict=True)
                if (order := committed.get(field.partition(b"|")[2])) is not None
            ]
            found += [(subject, decode_entry(body)) for _, body in sorted(ordered)]
        return tuple(found)


def import_entries(
    link: RedisLink,
    header: ListImportRecord,
    entries: Iterable[tuple[bytes, WatchlistEntry]],
) -> tuple[int, str]:
    """Bring entries into effect as one change; return their count and the new lists version.

    Args:
        link: connection to Redis.
        header: who changes the lists and why; its entries are filled in here, and its id unless it
            has one. The same id again brings the same change into effect, once.
        entries: tokens and their entries, of any number.

    Raises:
        StoreUnavailableError: Redis went away; nothing took effect.
    """
    import_id = header.import_id or f"import-{int(link.run([('INCR', keys.LIST_COUNTER)])[0]):06d}"
    # What an earlier try brought into effect keeps its number, so that the journal says the same
    # again, and does not expire.
    held = link.run([("ZSCORE", keys.LIST_IMPORTS, import_id)])[0]
    count = 0
    for chunk in chunks(entries):
        writes = entry_writes(import_id, count // CHUNK, chunk)
        writes += [] if held else [expires(import_id)]
        note = replace(header, import_id=import_id, entries=tuple(chunk))
        writes.append(("XADD", keys.journal(_JOURNAL_BUCKET), "*", "k", _KIND, "b", encode(note)))
        link.run(writes)
        count += len(chunk)
    # The order of commits is the order of versions, whatever the order of starts.
    commit = int(held or link.run([("INCR", keys.LIST_COMMITS)])[0])
    done = replace(header, import_id=import_id, entries=(), commit=commit)
    journal = keys.journal(_JOURNAL_BUCKET)
    score = link.run(
        [
            ("SET", keys.LIST_HISTORY, secrets.token_hex(8), "NX"),
            keeps(import_id),
            ("ZADD", keys.LIST_IMPORTS, "NX", commit, import_id),
            ("XADD", journal, "*", "k", _COMMIT_KIND, "b", encode(done)),
            ("ZSCORE", keys.LIST_IMPORTS, import_id),
        ]
    )[-1]
    return count, _version(int(score))


def entry_writes(
    import_id: str, group: int, entries: Iterable[tuple[bytes, WatchlistEntry]]
) -> list[Command]:
    """Return the commands that put entries beside their tokens; they count with their import.

    Args:
        import_id: the import.
        group: number of this part of it.
        entries: tokens and their entries.
    """
    listed = tuple(entries)
    writes: list[Command] = [
        ("HSET", keys.list_entries(token), list_field(entry.kind, import_id), encode(entry))
        for token, entry in listed
    ]
    if rows := hard_rows(listed):
        writes.append(("HSET", keys.hard_list(import_id), group, rows))
    return writes


def _version(commit: int) -> str:
    return f"lists-{commit:06d}"


def chunks(
    entries: Iterable[tuple[bytes, WatchlistEntry]],
) -> Iterator[list[tuple[bytes, WatchlistEntry]]]:
    """Yield entries in groups as they are written and journaled."""
    source = iter(entries)
    while chunk := list(islice(source, CHUNK)):
        yield chunk
