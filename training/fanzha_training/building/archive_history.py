"""Turns an archive into the kernel's steps, so that a decision reads the state it was served from.

All changes of a subject carry their sequence and the one that they follow. A number that is
missing, or given to two different changes, leaves everything that follows it in doubt.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fanzha.features.facts import PAYEE_ID, UNKNOWN
from fanzha.features.fold import READ_LINK, READ_PAYEE, READ_PAYER
from fanzha.features.layout import COUNTERPARTY, RING_COLUMNS
from fanzha.features.rebuilt import REBUILT_EVERY
from fanzha_training.building.archive_source import Changes, Decisions
from fanzha_training.building.chains import NO_CHAIN, chains_of
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
    rebuilt = [_rebuilt(read) for read in reads]
    chains = chains_of(
        changes.subject,
        changes.seq,
        changes.before,
        count,
        np.unique(np.concatenate(rebuilt), axis=0),
        np.column_stack([changes.change, changes.columns]),
    )
    broken = chains.broken
    columns = tuple(changes.columns[chains.row].T)
    seq, change = changes.seq[chains.row], changes.change[chains.row]
    blocks = [block(chains.chain, seq, 0, change, 0, columns)]
    whole = np.ones(len(decisions.payer), np.bool_)
    found = [chains.find(read.subject, read.seq) for read in reads]
    for read, chain in zip(reads, found, strict=True):
        gap = chain == NO_CHAIN
        broken[read.subject[gap & (read.subject >= 0)]] = True
        whole[read.row[gap]] = False
    for read, chain in zip(reads, found, strict=True):
        good = np.flatnonzero(whole[read.row])
        columns = tuple(read.columns[good].T)
        blocks.append(block(chain[good], read.seq[good], 1, read.step, read.row[good], columns))
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


def _rebuilt(read: _Read) -> Ints:
    """Return subject and sequence of the rebuilt states among what was read."""
    is_rebuilt = (read.seq > 0) & (read.seq % REBUILT_EVERY == 0) & (read.subject >= 0)
    return np.column_stack([read.subject[is_rebuilt], read.seq[is_rebuilt]])


def _without_repetitions(changes: Changes) -> Changes:
    """Return changes sorted by subject and sequence, without those that say the same twice."""
    order = np.lexsort((changes.seq, changes.subject))
    rows = np.column_stack(
        [changes.subject, changes.seq, changes.before, changes.change, changes.columns]
    )[order]
    new = np.ones(len(rows), np.bool_)
    new[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    rows = rows[new]
    return Changes(rows[:, 0], rows[:, 1], rows[:, 3], rows[:, 4:], rows[:, 2])
