"""What a change does to the state of a subject, once: for the fold, and for what the store holds.

A state lies in arrays that are used again for the next subject; an array of counts says where its
rings begin and how much each memory holds.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fanzha.features import layout as at
from fanzha.features.compiled import compiled
from fanzha.features.history import (
    add_to_totals,
    clear_link,
    effect_of_event,
    effect_of_execution,
    forget_report,
    push,
    remember_link,
    remember_pair,
    remember_report,
    set_status,
)

CHANGE_COLUMNS: Final = 1 + at.RING_COLUMNS
"""Of an array of changes: kind of change, and the five columns of its record."""

_ATTEMPT = int(at.Change.ATTEMPT)
_RECEIVE = int(at.Change.RECEIVE)
_EXECUTION_OUT = int(at.Change.EXECUTION_OUT)
_EXECUTION_IN = int(at.Change.EXECUTION_IN)
_REPORT = int(at.Change.REPORT)
_SIGHTING = int(at.Change.SIGHTING)
_TAINT = int(at.Change.TAINT)
_RETRACT = int(at.Change.RETRACT)
_CLEAR = int(at.Change.CLEAR)
_MULE = int(at.ReportRole.MULE)
_ROOM = 128
"""Rows in which a ring moves before it is copied back."""
COUNTS: Final = 11
"""Of the array of counts: beginnings and lengths of the rings, lengths of the memories, and since
when the account is known as a mule's (0 for never)."""
(
    OUT_AT, OUTS, IN_AT, INS, REPORT_AT, REPORTS, PAIRS, HOURS, DAYS, SEEN, MULE_SINCE,
) = range(COUNTS)  # fmt: skip


@compiled()
def _take_report(reports, n, kind, record):
    """Take a report or its retraction, and since when the account is known as a mule's."""
    is_mules = (record[at.REPORT_KIND] >> 8) & 0xFF == _MULE
    if kind == _REPORT:
        n[REPORT_AT], n[REPORTS] = remember_report(
            reports, n[REPORT_AT], n[REPORTS], at.REPORT_EVENTS, record
        )
        if is_mules and (n[MULE_SINCE] == 0 or record[at.REPORT_TIME] < n[MULE_SINCE]):
            n[MULE_SINCE] = record[at.REPORT_TIME]
        return
    n[REPORT_AT], n[REPORTS] = forget_report(reports, n[REPORT_AT], n[REPORTS], record)
    if is_mules:
        since = np.int64(0)
        for i in range(n[REPORT_AT], n[REPORT_AT] + n[REPORTS]):
            known = reports[i, at.REPORT_TIME]
            if (reports[i, at.REPORT_KIND] >> 8) & 0xFF == _MULE and (since == 0 or known < since):
                since = known
        n[MULE_SINCE] = since


@compiled()
def begin(n, room):
    """Begin with an empty state; rings lie at the end of rooms of so many rows."""
    n[:] = 0
    n[OUT_AT] = n[IN_AT] = n[REPORT_AT] = room


@compiled()
def take_change(kind, record, outs, ins, reports, pairs, hours, days, seen, n):
    """Take a change into a state: kind of `Change`, its record, the memories, and the counts."""
    if kind == _ATTEMPT or kind == _RECEIVE:
        column = at.OUT_COUNT
        if kind == _ATTEMPT:
            n[OUT_AT], n[OUTS] = push(outs, n[OUT_AT], n[OUTS], at.RING_EVENTS, record)
        else:
            n[IN_AT], n[INS] = push(ins, n[IN_AT], n[INS], at.RING_EVENTS, record)
            column = at.IN_COUNT
        zone = (record[at.FLAGS] >> 40) & 0xFF
        n[HOURS], n[DAYS] = add_to_totals(
            hours, n[HOURS], days, n[DAYS], zone,
            record[at.TIME], record[at.AMOUNT], column, effect_of_event(record),
        )  # fmt: skip
    elif kind == _EXECUTION_OUT or kind == _EXECUTION_IN:
        column = at.OUT_COUNT
        status = record[at.EXECUTION_KIND] & 0xFF
        if kind == _EXECUTION_OUT:
            set_status(outs[n[OUT_AT] : n[OUT_AT] + n[OUTS]], record[0], status)
            n[PAIRS] = remember_pair(pairs, n[PAIRS], record)
        else:
            set_status(ins[n[IN_AT] : n[IN_AT] + n[INS]], record[0], status)
            column = at.IN_COUNT
        zone = (record[at.EXECUTION_KIND] >> 24) & 0xFF
        n[HOURS], n[DAYS] = add_to_totals(
            hours, n[HOURS], days, n[DAYS], zone, record[at.TIME],
            record[at.EXECUTION_AMOUNT], column, effect_of_execution(record),
        )  # fmt: skip
    elif kind == _REPORT or kind == _RETRACT:
        _take_report(reports, n, kind, record)
    elif kind == _SIGHTING or kind == _TAINT:
        n[SEEN] = remember_link(seen, n[SEEN], record)
    elif kind == _CLEAR:
        clear_link(seen, n[SEEN], record)


@compiled(
    "void(Array(int64, 2, 'C', readonly=True), int64[:, ::1], int64[:, ::1], int64[:, ::1], "
    "int64[:, ::1], int64[:, ::1], int64[:, ::1], int64[:, ::1], int64[::1])"
)
def _walk(changes, outs, ins, reports, pairs, hours, days, seen, n):
    """Take changes into empty memories; `n` gets where they begin and how much they hold."""
    begin(n, _ROOM)
    for i in range(changes.shape[0]):
        take_change(changes[i, 0], changes[i, 1:], outs, ins, reports, pairs, hours, days, seen, n)


@dataclass(frozen=True, slots=True)
class SubjectState:
    """What the store holds of an account or a link, packed as `fanzha.features.layout` says."""

    out_ring: bytes
    in_ring: bytes
    reports: bytes
    pairs: bytes
    hours: bytes
    days: bytes
    seen: bytes
    mule_since_ms: int
    """Since when the account is known as a mule's, 0 for never."""


class States:
    """Walks through the changes of one subject after the other, in the same arrays."""

    def __init__(self) -> None:
        rings = [np.zeros((_ROOM, at.RING_COLUMNS), np.int64) for _ in range(3)]
        self._outs, self._ins, self._reports = rings
        self._pairs = np.zeros((at.PAIRS, at.PAIR_COLUMNS), np.int64)
        self._hours = np.zeros((at.HOURS, at.RING_COLUMNS), np.int64)
        self._days = np.zeros((at.DAYS, at.RING_COLUMNS), np.int64)
        self._seen = np.zeros((at.LINK_ACCOUNTS, at.LINK_COLUMNS), np.int64)
        self._n = np.zeros(COUNTS, np.int64)

    def after(self, changes: npt.NDArray[np.int64]) -> SubjectState:
        """Return the state that changes lead to from an empty one.

        Args:
            changes: int64 (changes, 6) in C order, as they happened; see `CHANGE_COLUMNS`.
        """
        memories = (self._outs, self._ins, self._reports)
        tables = (self._pairs, self._hours, self._days, self._seen)
        _walk(changes, *memories, *tables, self._n)
        n = self._n.tolist()
        return SubjectState(
            out_ring=self._outs[n[OUT_AT] : n[OUT_AT] + n[OUTS]].tobytes(),
            in_ring=self._ins[n[IN_AT] : n[IN_AT] + n[INS]].tobytes(),
            reports=self._reports[n[REPORT_AT] : n[REPORT_AT] + n[REPORTS]].tobytes(),
            pairs=self._pairs[: n[PAIRS]].tobytes(),
            hours=self._hours[: n[HOURS]].tobytes(),
            days=self._days[: n[DAYS]].tobytes(),
            seen=self._seen[: n[SEEN]].tobytes(),
            mule_since_ms=n[MULE_SINCE],
        )
