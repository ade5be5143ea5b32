"""Which changes led to a state: the past of an archive's subjects, also where Redis forgot some.

Every change names the sequence that it follows. In a life without losses that is the one before.
After a loss (a failover that forgot the newest writes, a Redis restarted empty) a change follows an
older one, or none, and what was forgotten is a branch that ended. A sequence that is a multiple of
2**20 is a state that was rebuilt from the archive: it holds all changes below it, each once (see
`fanzha.features.rebuilt`).

A chain is a walk from an empty state along such steps. Each chain is given to the fold as a subject
of its own; changes that several chains share are repeated in each.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fanzha.features.rebuilt import REBUILT_EVERY, held_by_rebuilt, is_rebuilt

Ints = npt.NDArray[np.int64]

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


@dataclass(frozen=True, slots=True)
class Links:
    """All changes, sorted by (subject, seq), and what each follows."""

    subject: Ints
    seq: Ints
    follows: Ints
    records: Ints
    """Kind and columns, int64 (changes, any): the same where a change was sent a second time."""
    first: npt.NDArray[np.bool_]
    """Where a subject's changes begin."""
    twice: npt.NDArray[np.bool_]
    """Where a sequence stands a second time."""

    def is_plain(self) -> npt.NDArray[np.bool_]:
        """Say of each change whether it follows the one before it, or begins anew.

        A rebuilt state comes straight after all that was before it, unless that began anew or went
        back somewhere.
        """
        before = np.where(self.first, 0, np.concatenate([[0], self.seq[:-1]])[: len(self.seq)])
        begins = self.follows == 0
        is_after = (self.follows == before) | (
            (self.follows > before) & (self.follows % REBUILT_EVERY == 0)
        )
        anew = np.zeros(len(self.seq) + 1, np.int64)
        anew[1:] = np.cumsum((begins | ~is_after) & ~self.first)
        starts = np.maximum.accumulate(np.where(self.first, np.arange(len(self.seq)), 0))
        is_whole = anew[:-1] == anew[starts + 1] if len(self.seq) else begins
        follows_it = begins | (self.follows == before) | (is_after & is_whole)
        return np.asarray(follows_it & ~self.twice, np.bool_)


def chains_of(
    subject: Ints,
    seq: Ints,
    before: Ints,
    subjects: int,
    rebuilt: Ints,
    records: Ints | None = None,
) -> Chains:
    """Return the chains of all subjects.

    Args:
        subject: subjects of the changes, from 0; sorted by (subject, seq).
        seq: their sequences, from 1.
        before: the sequences that they follow; CONTINUES for the one that is one less.
        subjects: how many subjects there are.
        rebuilt: subject and sequence of rebuilt states that were read, int64 (states, 2), sorted.
        records: kind and columns of each change; None: no two are the same.

    """
    follows = np.where(before == CONTINUES, seq - 1, before)
    first = np.ones(len(seq), np.bool_)
    first[1:] = subject[1:] != subject[:-1]
    twice = np.zeros(len(seq), np.bool_)
    twice[1:] = (seq[1:] == seq[:-1]) & ~first[1:]
    if records is None:
        records = np.arange(len(seq)).reshape(-1, 1)
    links = Links(subject, seq, follows, records, first, twice)
    begins = follows == 0
    odd = np.zeros(subjects, np.bool_)
    odd[subject[~links.is_plain()]] = True
    # A rebuilt state of a subject that began anew in between is of several chains.
    odd[np.intersect1d(subject[begins & ~first], rebuilt[:, 0])] = True

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
        read = rebuilt[slice(*np.searchsorted(rebuilt[:, 0], [one, one + 1])), 1]
        forks.add(int(one), range(int(low), int(high)), links, read)

    known = np.column_stack([subject[plain], seq[plain]])
    # The others' rebuilt states lie on their only chain, which has the subject's number.
    simple = rebuilt[~odd[rebuilt[:, 0]]]
    simple = simple[~_is_in(simple, known)]
    forked = np.array(forks.known, np.int64).reshape(-1, 2)
    all_known = np.concatenate([known, simple, forked])
    chain_of = np.concatenate([chain, simple[:, 0], np.array(forks.chain_of, np.int64)])
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

    def add(self, subject: int, rows: range, links: Links, read: Ints) -> None:
        """Walk through one subject's changes and note its chains."""
        seq, follows = links.seq, links.follows
        doubted = {int(seq[row]) for row in rows if links.twice[row]}
        self.broken[subject] |= bool(doubted)
        paths: dict[int, list[int]] = {0: []}
        """Changes that lead to each state; a state that is extended once shares its list."""
        ends: dict[int, list[int]] = {}
        lengths = {0: 0}
        for row in rows:
            number, parent = int(seq[row]), int(follows[row])
            if number in doubted:
                continue
            if parent not in paths and is_rebuilt(parent):
                paths[parent] = _rebuilt(parent, rows, links)
                lengths[parent] = len(paths[parent])
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
                paths[number] = _rebuilt(number, rows, links)
            ends.setdefault(id(paths[number]), paths[number])
        self._number(subject, paths, ends)

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


def _rebuilt(number: int, rows: range, links: Links) -> list[int]:
    """Return the changes that a rebuilt state holds."""
    below = [row for row in rows if links.seq[row] < number]
    held = held_by_rebuilt(
        [int(links.seq[row]) for row in below],
        [int(links.follows[row]) for row in below],
        [links.records[row].tobytes() for row in below],
    )
    return [below[place] for place in held]


def _is_in(states: Ints, known: Ints) -> npt.NDArray[np.bool_]:
    """Say of each state whether it is among others; both int64 (states, 2)."""
    if not len(states) or not len(known):
        return np.zeros(len(states), np.bool_)
    both = np.concatenate([known, states])
    names = np.unique(both, axis=0, return_inverse=True)[1].ravel()
    return np.isin(names[len(known) :], names[: len(known)])
