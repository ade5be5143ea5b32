"""Features of many transfers: walks through each subject's changes and reads the kernel's parts.

A step is a row of eight int64: subject's number, step kind, transfer's row, and the five columns of
`fanzha.features.layout`. Steps are ordered by subject, and within one subject as its state changed
(by sequence in an archive, by time in a table). A change updates the state; a read computes the
payer's, the payee's or one link's part of one transfer's vector from the state at that point. Since
each part needs one subject only, subjects can be handled one after the other, in any number of
processes.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from fanzha.features import facts as f
from fanzha.features import layout as at
from fanzha.features.compiled import compiled
from fanzha.features.facts import FACTS, UNKNOWN
from fanzha.features.history import pair_of
from fanzha.features.kernel import (
    END,
    LINKS_START,
    PAYEE_START,
    PAYER_START,
    link_part,
    payee_part,
    payer_part,
    request_part,
)
from fanzha.features.links import WIDTH
from fanzha.features.states import (
    COUNTS,
    DAYS,
    HOURS,
    IN_AT,
    INS,
    OUT_AT,
    OUTS,
    PAIRS,
    REPORT_AT,
    REPORTS,
    SEEN,
    begin,
    take_change,
)

READ_PAYER: Final = 10
READ_PAYEE: Final = 11
READ_LINK: Final = 12
"""Of the link whose number in `fanzha.features.links.LINKS` the first column holds."""

STEP_COLUMNS: Final = 8
SUBJECT, STEP, ROW, COLUMN_0 = range(4)

_FACT_COUNT = len(FACTS)
_ROOM = 4096
"""Rows in which a ring moves before it is copied back."""
_FACTS_OF_PARTS = (
    f.TIME_MS,
    f.UTC_OFFSET_S,
    f.AMOUNT_MINOR,
    f.CHANNEL,
    f.BALANCE_BEFORE_MINOR,
    f.PAYER_ID,
    f.PAYEE_ID,
)
"""All that the parts of payer, payee and links read of a request; the rest is UNKNOWN to them."""
_NEAR = 1024
"""Steps whose facts and parts lie together while they are worked on. Transfers of one account are
spread over all memory: waiting for it in between took longer than the kernel itself."""


@compiled()
def _fetch(facts, steps, near_facts):
    """Copy the facts that reads need beside each other."""
    for i in range(steps.shape[0]):
        if steps[i, STEP] >= READ_PAYER:
            row = steps[i, ROW]
            for column in _FACTS_OF_PARTS:
                near_facts[i, column] = facts[row, column]


@compiled()
def _put_back(near_vectors, steps, vectors):
    """Copy the parts that reads made into the vectors of their rows."""
    for i in range(steps.shape[0]):
        step = steps[i, STEP]
        if step < READ_PAYER:
            continue
        if step == READ_PAYER:
            first, end = PAYER_START, PAYEE_START
        elif step == READ_PAYEE:
            first, end = PAYEE_START, LINKS_START
        else:
            first = LINKS_START + steps[i, COLUMN_0] * WIDTH
            end = first + WIDTH
        row = steps[i, ROW]
        for column in range(first, end):
            vectors[row, column] = near_vectors[i, column]


_READ = "Array(int64, 2, 'C', readonly=True)"


@compiled(f"void({_READ}, {_READ}, float32[:, ::1])")
def _fold(facts, steps, vectors):
    out_room = np.zeros((_ROOM, at.RING_COLUMNS), np.int64)
    in_room = np.zeros((_ROOM, at.RING_COLUMNS), np.int64)
    report_room = np.zeros((_ROOM, at.RING_COLUMNS), np.int64)
    pairs = np.zeros((at.PAIRS, at.PAIR_COLUMNS), np.int64)
    hours = np.zeros((at.HOURS, at.RING_COLUMNS), np.int64)
    days = np.zeros((at.DAYS, at.RING_COLUMNS), np.int64)
    seen = np.zeros((at.LINK_ACCOUNTS, at.LINK_COLUMNS), np.int64)
    n = np.zeros(COUNTS, np.int64)
    subject = np.int64(-1)
    for row in range(facts.shape[0]):
        vectors[row, :] = np.nan
        request_part(facts[row], vectors[row])
    near_facts = np.full((_NEAR, _FACT_COUNT), UNKNOWN, np.int64)
    near_vectors = np.empty((_NEAR, END), np.float32)
    for start in range(0, steps.shape[0], _NEAR):
        stop = min(start + _NEAR, steps.shape[0])
        _fetch(facts, steps[start:stop], near_facts)
        for i in range(start, stop):
            if i == 0 or steps[i, SUBJECT] != subject:
                subject = steps[i, SUBJECT]
                begin(n, _ROOM)
            step = steps[i, STEP]
            record = steps[i, COLUMN_0:]
            if step == READ_PAYER:
                payer_part(
                    near_facts[i - start],
                    out_room[n[OUT_AT] : n[OUT_AT] + n[OUTS]],
                    in_room[n[IN_AT] : n[IN_AT] + n[INS]],
                    pair_of(pairs, n[PAIRS], record[at.COUNTERPARTY]),
                    report_room[n[REPORT_AT] : n[REPORT_AT] + n[REPORTS]],
                    hours[: n[HOURS]],
                    days[: n[DAYS]],
                    near_vectors[i - start],
                )
            elif step == READ_PAYEE:
                payee_part(
                    near_facts[i - start],
                    out_room[n[OUT_AT] : n[OUT_AT] + n[OUTS]],
                    in_room[n[IN_AT] : n[IN_AT] + n[INS]],
                    report_room[n[REPORT_AT] : n[REPORT_AT] + n[REPORTS]],
                    days[: n[DAYS]],
                    near_vectors[i - start],
                )
            elif step == READ_LINK:
                link_part(
                    near_facts[i - start], seen[: n[SEEN]], record[0], near_vectors[i - start]
                )
            else:
                take_change(
                    step, record, out_room, in_room, report_room, pairs, hours, days, seen, n
                )
        _put_back(near_vectors, steps[start:stop], vectors)


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
