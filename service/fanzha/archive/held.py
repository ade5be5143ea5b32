"""Says which records the archive holds already, by reading no more files than could hold them."""

from collections import OrderedDict, defaultdict
from datetime import date
from typing import Any, Final

from fanzha.archive.log import ArchiveFile
from fanzha.archive.rows import as_change, day_of_ms
from fanzha.archive.writer import LogWriter

_APART_MS: Final = 60_000
"""So much may the clocks of workers and Redis differ."""
_IDS_MAX: Final = 1_000_000

Seqs = dict[str, set[int | None]]
"""Record id to the sequences of the rows under it; None for one without."""


class HeldRecords:
    """Looks records up in the files of their day.

    A record cannot have been archived before it was made, so that files with older entries alone
    are passed over.
    """

    def __init__(self, log: LogWriter) -> None:
        self._log = log
        self._ids: OrderedDict[str, dict[str, int | None]] = OrderedDict()
        self._count = 0

    def of(self, rows: list[dict[str, Any]]) -> Seqs:
        """Return what the archive holds, as of its log, under any name that these rows can have.

        Raises:
            OSError: a file cannot be read.
        """
        by_day: dict[date, set[str]] = defaultdict(set)
        buckets: dict[date, int] = defaultdict(int)
        since_ms: dict[date, int] = {}
        for row in rows:
            read_ms = int(row["stream_id"].partition("-")[0])
            names_at = [(row["record_time_ms"], {row["record_id"], place_of(row)})]
            if row.get("seq") is not None:
                names_at.append((read_ms, {as_change(row)}))
            for time_ms, names in names_at:
                day = day_of_ms(time_ms)
                by_day[day] |= names
                buckets[day] |= 1 << row["bucket"]
                since_ms[day] = min(time_ms, since_ms.get(day, time_ms))
        held: Seqs = {}
        for day, names in by_day.items():
            for file in self._log.known_files(day):
                if file.buckets & buckets[day] and file.newest_ms >= since_ms[day] - _APART_MS:
                    there = self._of_file(file)
                    for name in there.keys() & names:
                        held.setdefault(name, set()).add(there[name])
        return held

    def _of_file(self, file: ArchiveFile) -> dict[str, int | None]:
        found = self._ids.get(file.path)
        if found is not None:
            self._ids.move_to_end(file.path)
            return found
        table = self._log.parquet(file).read(columns=["record_id", "seq"])
        found = dict(zip(*(table.column(i).to_pylist() for i in ("record_id", "seq")), strict=True))
        self._ids[file.path] = found
        self._count += len(found)
        while self._count > _IDS_MAX and len(self._ids) > 1:
            _, dropped = self._ids.popitem(last=False)
            self._count -= len(dropped)
        return found


def place_of(row: dict[str, Any]) -> str:
    """Return a row's place in the journal, by which archives without a log named records."""
    return f"{row['bucket']}-{row['stream_id']}"
