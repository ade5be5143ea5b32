"""Features of many transfers: walks through each account's changes and reads the kernel's parts.

A step is a row of eight int64: account number, step kind, transfer's row, and the five columns of
`fanzha.features.layout`. Steps are ordered by account, and within one account as its state changed
(by sequence in an archive, by time in a table). A change updates the state; a read computes the
payer's or the payee's part of one transfer's vector from the state at that point. Since each part
needs one account only, accounts can be handled one after the other, in any number of processes.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from fanzha.features import layout as at
from fanzha.features.compiled import compiled
from fanzha.features.facts import FACTS
from fanzha.features.kernel import END, payee_part, payer_part, request_part

READ_PAYER: Final = 10
READ_PAYEE: Final = 11

STEP_COLUMNS: Final = 8
ACCOUNT, STEP, ROW, COLUMN_0 = range(4)

_ATTEMPT = int(at.Change.ATTEMPT)
_RECEIVE = int(at.Change.RECEIVE)
_EXECUTION_OUT = int(at.Change.EXECUTION_OUT)
_EXECUTION_IN = int(at.Change.EXECUTION_IN)
_REPORT = int(at.Change.REPORT)
_FACT_COUNT = len(FACTS)


@compiled()
def push(ring, count, record):
    """Put a record in front of a ring int64[n, 5] that holds `count`; return the new count."""
    if count < ring.shape[0]:
        count += 1
    for i in range(count - 1, 0, -1):
        ring[i, :] = ring[i - 1, :]
    ring[0, :] = record
    return count


@compiled()
def set_status(ring, count, event_id, status):
    """Set the execution status of an event where the ring holds it."""
    for i in range(count):
        if ring[i, at.EVENT_ID] == event_id:
            ring[i, at.FLAGS] = (ring[i, at.FLAGS] & ~(0xFF << 24)) | (status << 24)
            return


@compiled()
def remember_pair(pairs, count, record):
    """Take an EXECUTION_OUT into the pair memory int64[256, 4]; return the new count.

    A payment that becomes posted counts, one that ceases to be posted no longer does. The pair
    comes to the front; the one used longest ago falls out of a full memory.
    """
    status = record[at.EXECUTION_KIND] & 0xFF
    before = (record[at.EXECUTION_KIND] >> 8) & 0xFF
    if record[at.COUNTERPARTY] == 0 or (status == 1) == (before == 1):
        return count
    place = count
    for i in range(count):
        if pairs[i, at.PAIR_COUNTERPARTY] == record[at.COUNTERPARTY]:
            place = i
            break
    found = place < count
    time = record[at.TIME]
    first = min(time, pairs[place, at.PAIR_FIRST]) if found else time
    last = max(time, pairs[place, at.PAIR_LAST]) if found else time
    times = pairs[place, at.PAIR_TIMES] if found else 0
    times += 1 if status == 1 else -1
    if times <= 0:
        if found:
            for i in range(place, count - 1):
                pairs[i, :] = pairs[i + 1, :]
            count -= 1
        return count
    if not found:
        count = min(count + 1, pairs.shape[0])
        place = count - 1
    for i in range(place, 0, -1):
        pairs[i, :] = pairs[i - 1, :]
    pairs[0, at.PAIR_COUNTERPARTY] = record[at.COUNTERPARTY]
    pairs[0, at.PAIR_FIRST] = first
    pairs[0, at.PAIR_LAST] = last
    pairs[0, at.PAIR_TIMES] = times
    return count


@compiled()
def _pair_of(pairs, count, counterparty):
    for i in range(count):
        if pairs[i, at.PAIR_COUNTERPARTY] == counterparty:
            return pairs[i]
    return pairs[0, :0]


_READ = "Array(int64, 2, 'C', readonly=True)"


@compiled(f"void({_READ}, {_READ}, float32[:, ::1])")
def _fold(facts, steps, vectors):
    out_ring = np.zeros((at.RING_EVENTS, at.RING_COLUMNS), np.int64)
    in_ring = np.zeros((at.RING_EVENTS, at.RING_COLUMNS), np.int64)
    report_ring = np.zeros((at.REPORT_EVENTS, at.RING_COLUMNS), np.int64)
    pairs = np.zeros((at.PAIRS, at.PAIR_COLUMNS), np.int64)
    outs = ins = known = pair_count = 0
    account = np.int64(-1)
    for row in range(facts.shape[0]):
        vectors[row, :] = np.nan
        request_part(facts[row], vectors[row])
    for i in range(steps.shape[0]):
        if steps[i, ACCOUNT] != account:
            account = steps[i, ACCOUNT]
            outs = ins = known = pair_count = 0
        step = steps[i, STEP]
        row = steps[i, ROW]
        record = steps[i, COLUMN_0:]
        if step == READ_PAYER:
            payer_part(
                facts[row],
                out_ring[:outs],
                in_ring[:ins],
                _pair_of(pairs, pair_count, record[at.COUNTERPARTY]),
                report_ring[:known],
                vectors[row],
            )
        elif step == READ_PAYEE:
            payee_part(
                facts[row], out_ring[:outs], in_ring[:ins], report_ring[:known], vectors[row]
            )
        elif step == _ATTEMPT:
            outs = push(out_ring, outs, record)
        elif step == _RECEIVE:
            ins = push(in_ring, ins, record)
        elif step == _EXECUTION_OUT:
            set_status(out_ring, outs, record[0], record[at.EXECUTION_KIND] & 0xFF)
            pair_count = remember_pair(pairs, pair_count, record)
        elif step == _EXECUTION_IN:
            set_status(in_ring, ins, record[0], record[at.EXECUTION_KIND] & 0xFF)
        elif step == _REPORT:
            known = push(report_ring, known, record)


def fold(facts: npt.NDArray[np.int64], steps: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Return the vectors of all transfers, float32 of shape (rows, len(FEATURES)).

    Args:
        facts: int64 of shape (rows, len(FACTS)), C order.
        steps: int64 of shape (steps, 8), C order, ordered as the module says. READ_PAYER steps
            carry the payee's number in the counterparty column. Rows without a read of one side
            have NaN there, as a degraded request has.

    Raises:
        ValueError: an array has another shape.

    """
    if facts.ndim != 2 or facts.shape[1] != _FACT_COUNT:
        raise ValueError(f"facts must have shape (rows, {_FACT_COUNT}), not {facts.shape}")
    if steps.ndim != 2 or steps.shape[1] != STEP_COLUMNS:
        raise ValueError(f"steps must have shape (steps, {STEP_COLUMNS}), not {steps.shape}")
    vectors = np.empty((facts.shape[0], END), np.float32)
    _fold(np.ascontiguousarray(facts), np.ascontiguousarray(steps), vectors)
    return vectors
