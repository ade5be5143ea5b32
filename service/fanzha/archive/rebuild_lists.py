"""The watchlists of an archive: imports in effect, in the order of their commits, and counters."""

import re
import secrets
from collections import Counter
from collections.abc import Callable
from typing import Final

from fanzha.adapters import keys
from fanzha.adapters.codec import decode
from fanzha.adapters.redis_link import Command
from fanzha.adapters.redis_lists import entry_writes
from fanzha.archive import schema
from fanzha.domain.record import ListImportRecord, ListProposalRecord

LIST_KINDS: Final = (
    schema.KIND_LIST_IMPORT,
    schema.KIND_LIST_COMMIT,
    schema.KIND_LIST_PROPOSAL,
)
_NUMBER: Final = re.compile(r"^(import|proposal)-(\d+)(?:-\d+)?$")


class Lists:
    """Takes the rows of imports, of any order, and brings them into effect in the end."""

    def __init__(self, write: Callable[[list[Command]], None]) -> None:
        self._write = write
        self._commits: dict[str, int] = {}
        self._groups: Counter[str] = Counter()
        self._counters = {"import": 0, "proposal": 0}
        self._commit_max = 0

    def add(self, kind: str, body: bytes) -> None:
        """Take one row. Raises msgspec.DecodeError, and as writing does."""
        if kind == schema.KIND_LIST_PROPOSAL:
            self._count(decode(body, ListProposalRecord).proposal_id)
            return
        record = decode(body, ListImportRecord)
        self._count(record.import_id)
        if kind == schema.KIND_LIST_IMPORT:
            group = self._groups[record.import_id]
            self._groups[record.import_id] += 1
            writes = entry_writes(record.import_id, group, record.entries)
            if writes:
                self._write(writes)
            return
        # Earlier versions did not write the number down: their commits are in order all the same.
        number = record.commit or self._commit_max + 1
        self._commit_max = max(self._commit_max, number)
        held = self._commits.get(record.import_id, number)
        self._commits[record.import_id] = min(held, number)

    def bring_into_effect(self) -> int:
        """Write the imports in effect and the counters; return how many imports there are."""
        scores = [x for name, number in self._commits.items() for x in (number, name)]
        writes: list[Command] = [("DEL", keys.LIST_IMPORTS)]
        # Workers that hold a copy of what was here before read everything anew.
        writes.append(("SET", keys.LIST_HISTORY, secrets.token_hex(8)))
        if scores:
            writes.append(("ZADD", keys.LIST_IMPORTS, *scores))
            writes.append(("SET", keys.LIST_COMMITS, self._commit_max))
        for name, key in (
            ("import", keys.LIST_COUNTER),
            ("proposal", keys.LIST_PROPOSAL_COUNTER),
        ):
            if self._counters[name]:
                writes.append(("SET", key, self._counters[name]))
        self._write(writes)
        return len(self._commits)

    def _count(self, name: str) -> None:
        found = _NUMBER.match(name)
        if found:
            self._counters[found[1]] = max(self._counters[found[1]], int(found[2]))
