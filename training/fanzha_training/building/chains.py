"""Which changes led to a state: the past of an archive's subjects, also where Redis forgot some.

Every change names the sequence that it follows. In a life without losses that is the one before.
After a loss (a failover that forgot the newest writes, a Redis restarted empty) a change follows an
older one, or none, and what was forgotten is a branch that ended. A sequence that is a multiple of
2**20 is a state that was rebuilt from the archive: it holds all changes below it (see
`fanzha.adapters.epochs`).

A chain is a walk from an empty state along such steps. Each chain is given to the fold as a subject
of its own; changes that several chains share are repeated in each.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

REBUILT_EVERY: Final = 2**20
"""Sequences that are multiples of it are those of rebuilt states."""
CONTINUES: Final = -1
"""As the sequence before: the one that is one less."""
NO_CHAIN: Final = -1


@dataclass(frozen=True, slots=True)
class Chains:
    """Chains of all subjects."""

    chain: Ints
    """Number of the chain of each step, from 0; the numbers of subjects stay those of their first
    chain."""
    row: Ints
    """The change that each step is."""
    broken: npt.NDArray[np.bool_]
    """Subjects of which something is missing, or a sequence stands for two changes."""
    known: Ints
    """Subject and sequence of every state that can be reached, ascending, int64 (states, 2)."""
    chain_of: Ints
    """The chain of each of these states."""

    def find(self, subject: Ints, seq: Ints) -> Ints:
        """Return a chain that leads to each state, NO_CHAIN where something is missing.

        A state of sequence 0 is the empty one: every subject's first chain leads to it.
        """
        found = np.where((seq == 0) & (subject >= 0), subject, NO_CHAIN)
        if not len(self.known):
            return found
        numbers = np.unique(self.known[:, 1])
        names = self.known[:, 0] * len(numbers) + np.searchsorted(numbers, self.known[:, 1])
        at = np.minimum(np.searchsorted(numbers, seq), len(numbers) - 1)
        wanted = subject * len(numbers) + at
        place = np.minimum(np.searchsorted(names, wanted), len(names) - 1)
        hit = (seq > 0) & (subject >= 0) & (numbers[at] == seq) & (names[place] == wanted)
        return np.where(hit, self.chain_of[place], found)


def chains_of(subject: Ints, seq: Ints, before: Ints, subjects: int, rebuilt: Ints) -> Chains:
    """Return the chains of all subjects.

    Args:
        subject: subjects of the changes, from 0; sorted by (subject, seq).
        seq: their sequences, from 1.
        before: the sequences that they follow; CONTINUES for the one that is one less.
        subjects: how many subjects there are.
        rebuilt: subject and sequence of rebuilt states that were read, int64 (states, 2).

    """
    follows = np.where(before == CONTINUES, seq - 1, before)
    first = np.ones(len(seq), np.bool_)
    first[1:] = subject[1:] != subject[:-1]
    last_seq = np.where(first, 0, np.concatenate([[0], seq[:-1]])) if len(seq) else seq
    twice = np.zeros(len(seq), np.bool_)
    twice[1:] = (seq[1:] == seq[:-1]) & ~first[1:]
    begins = follows == 0
    is_plain = (begins | (follows == last_seq)) & ~twice
    odd = np.zeros(subjects, np.bool_)
    odd[subject[~is_plain]] = True
    odd[rebuilt[:, 0]] = True

    plain = np.flatnonzero(~odd[subject])
    starts = begins[plain] | first[plain]
    anew = starts & ~first[plain]
    # The first chain of a subject has its number; those that begin anew get numbers after all.
    number = np.where(starts & first[plain], subject[plain], 0)
    number[anew] = subjects + np.arange(int(anew.sum()))
    chain = number[np.maximum.accumulate(np.where(starts, np.arange(len(plain)), 0))]
    forks = _Forks(subjects + int(anew.sum()), subjects)
    for one in np.flatnonzero(odd):
        low, high = np.searchsorted(subject, [one, one + 1])
        read = rebuilt[rebuilt[:, 0] == one, 1]
        forks.add(int(one), range(int(low), int(high)), seq, follows, twice, read)

    known = np.column_stack([subject[plain], seq[plain]])
    all_known = np.concatenate([known, np.array(forks.known, np.int64).reshape(-1, 2)])
    chain_of = np.concatenate([chain, np.array(forks.chain_of, np.int64)])
    order = np.lexsort((all_known[:, 1], all_known[:, 0]))
    return Chains(
        chain=np.concatenate([chain, np.array(forks.chain, np.int64)]),
        row=np.concatenate([plain, np.array(forks.row, np.int64)]),
        broken=forks.broken,
        known=all_known[order],
        chain_of=chain_of[order],
    )


class _Forks:
    """The few subjects whose past is no plain line, one after the other."""

    def __init__(self, next_chain: int, subjects: int) -> None:
        self._next = next_chain
        self.broken = np.zeros(subjects, np.bool_)
        self.chain: list[int] = []
        self.row: list[int] = []
        self.known: list[tuple[int, int]] = []
        self.chain_of: list[int] = []

    def add(
        self,
        subject: int,
        rows: range,
        seq: Ints,
        follows: Ints,
        twice: npt.NDArray[np.bool_],
        read: Ints,
    ) -> None:
        """Walk through one subject's changes and note its chains."""
        doubted = {int(seq[row]) for row in rows if twice[row]}
        self.broken[subject] |= bool(doubted)
        paths: dict[int, list[int]] = {0: []}
        """Changes that lead to each state; a state that is extended once shares its list."""
        ends: dict[int, list[int]] = {}
        lengths = {0: 0}
        for row in rows:
            number, parent = int(seq[row]), int(follows[row])
            if number in doubted:
                continue
            if parent not in paths and _is_rebuilt(parent):
                self._rebuild(parent, rows, seq, paths, lengths)
            path = paths.get(parent)
            if path is None:
                self.broken[subject] = True
                continue
            if len(path) > lengths[parent] or parent == 0:
                path = path[: lengths[parent]]
            path.append(row)
            paths[number], lengths[number] = path, len(path)
            ends[id(path)] = path
        for number in map(int, read):
            if number not in paths:
                self._rebuild(number, rows, seq, paths, lengths)
            ends.setdefault(id(paths[number]), paths[number])
        self._number(subject, paths, ends)

    @staticmethod
    def _rebuild(
        number: int, rows: range, seq: Ints, paths: dict[int, list[int]], lengths: dict[int, int]
    ) -> None:
        paths[number] = [row for row in rows if seq[row] < number]
        lengths[number] = len(paths[number])

    def _number(
        self, subject: int, paths: dict[int, list[int]], ends: dict[int, list[int]]
    ) -> None:
        numbers: dict[int, int] = {}
        for key, path in ends.items():
            # The first one keeps the subject's number, by which the empty state is read.
            numbers[key] = self._next if numbers else subject
            self._next += bool(len(numbers) > 1)
            self.chain += [numbers[key]] * len(path)
            self.row += path
        for number, path in paths.items():
            if number and id(path) in numbers:
                self.known.append((subject, number))
                self.chain_of.append(numbers[id(path)])


def _is_rebuilt(number: int) -> bool:
    return number > 0 and number % REBUILT_EVERY == 0
