"""Turns an archive into the kernel's steps, so that a decision reads the state it was served from.

All changes of a subject carry its sequence, 1, 2, 3 and so on. A number that is missing, or given
to two different changes, leaves everything after it in doubt.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fanzha.features.facts import PAYEE_ID, UNKNOWN
from fanzha.features.fold import READ_LINK, READ_PAYEE, READ_PAYER
from fanzha.features.layout import COUNTERPARTY, RING_COLUMNS
from fanzha_training.building.archive_source import Changes, Decisions
from fanzha_training.building.step_blocks import Ints, block, in_order


@dataclass(frozen=True, slots=True)
class Replay:
    """What it takes to compute the vectors of an archive's decisions again."""

    steps: Ints
    """For `fanzha.features.fold.fold`, int64 (steps, 8)."""
    whole: npt.NDArray[np.bool_]
    """Decisions whose states can be rebuilt: nothing is missing before them."""
    subjects_with_gaps: int


def replay_of(decisions: Decisions, changes: Changes) -> Replay:
    """Return the steps that rebuild every state that a decision saw.

    Decisions after a gap get no steps.
    """
    reads = _reads(decisions)
    count = 1 + max(int(values.max(initial=-1)) for values in (
        changes.subject, *(read.subject for read in reads)
    ))  # fmt: skip
    changes = _without_repetitions(changes)
    known_until, broken = _known_until(changes, count)
    whole = np.ones(len(decisions.payer), np.bool_)
    for read in reads:
        gap = _beyond(read, known_until)
        broken[read.subject[gap & (read.subject >= 0)]] = True
        whole[read.row[gap]] = False

    kept = np.flatnonzero(changes.seq <= known_until[changes.subject])
    kept_columns = tuple(changes.columns[kept].T)
    blocks = [
        block(changes.subject[kept], changes.seq[kept], 0, changes.change[kept], 0, kept_columns)
    ]
    for read in reads:
        good = np.flatnonzero(whole[read.row])
        columns = tuple(read.columns[good].T)
        blocks.append(
            block(read.subject[good], read.seq[good], 1, read.step, read.row[good], columns)
        )
    return Replay(in_order(blocks), whole, int(broken.sum()))


@dataclass(frozen=True, slots=True)
class _Read:
    """Reads of one kind: which subject, at which sequence, for which decision."""

    step: int
    subject: Ints
    seq: Ints
    row: Ints
    columns: Ints


def _reads(decisions: Decisions) -> list[_Read]:
    """Return what decisions read; what they could not read they did not see."""
    payee = decisions.facts[:, PAYEE_ID]
    columns = np.zeros((len(payee), RING_COLUMNS), np.int64)
    columns[:, COUNTERPARTY] = np.where(payee == UNKNOWN, 0, payee)
    sides = [
        (READ_PAYER, decisions.payer, decisions.payer_seq, columns),
        (READ_PAYEE, decisions.payee, decisions.payee_seq, np.zeros_like(columns)),
    ]
    for link in range(decisions.links.shape[1]):
        columns = np.zeros_like(columns)
        columns[:, 0] = link
        sides.append((READ_LINK, decisions.links[:, link], decisions.link_seqs[:, link], columns))
    reads = []
    for step, subject, seq, columns in sides:
        row = np.flatnonzero(seq >= 0)
        reads.append(_Read(step, subject[row], seq[row], row, columns[row]))
    return reads


def _beyond(read: _Read, known_until: Ints) -> npt.NDArray[np.bool_]:
    """Say which states cannot be rebuilt; that of no subject never can."""
    limit = np.where(read.subject >= 0, known_until[read.subject], -1)
    beyond: npt.NDArray[np.bool_] = read.seq > limit
    return beyond


def _without_repetitions(changes: Changes) -> Changes:
    """Return changes sorted by subject and sequence, without those that say the same twice."""
    order = np.lexsort((changes.seq, changes.subject))
    rows = np.column_stack([changes.subject, changes.seq, changes.change, changes.columns])[order]
    new = np.ones(len(rows), np.bool_)
    new[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    rows = rows[new]
    return Changes(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3:])


def _known_until(changes: Changes, count_of_subjects: int) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Return for each subject up to which sequence nothing is missing, and whether anything is."""
    count = np.bincount(changes.subject, minlength=count_of_subjects)
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    expected = np.arange(len(changes.seq)) - first[changes.subject] + 1
    good = changes.seq == expected
    twice = (changes.seq[1:] == changes.seq[:-1]) & (changes.subject[1:] == changes.subject[:-1])
    good[:-1] &= ~twice
    known_until = count.astype(np.int64)
    bad = np.flatnonzero(~good)
    np.minimum.at(known_until, changes.subject[bad], expected[bad] - 1)
    broken = np.zeros(count_of_subjects, np.bool_)
    broken[changes.subject[bad]] = True
    return known_until, broken
