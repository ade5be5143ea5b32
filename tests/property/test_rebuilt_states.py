"""A rebuilt state holds all that happened, each thing once, whatever was lost in between."""

import random
from dataclasses import dataclass, field

import numpy as np
import pytest
from tests.training.archives import PlayedService

from fanzha.archive.rebuild_reading import PartChanges
from fanzha.archive.rebuild_states import states_of
from fanzha.features.rebuilt import REBUILT_EVERY, held_by_rebuilt
from fanzha.features.states import States
from fanzha_training.building.chains import chains_of


@dataclass
class Life:
    """A subject in a Redis that loses things; every happening has a name of its own."""

    rng: random.Random
    seq: list[int] = field(default_factory=list)
    follows: list[int] = field(default_factory=list)
    content: list[int] = field(default_factory=list)
    happening: list[int] = field(default_factory=list)
    line: list[int] = field(default_factory=list)
    """Places of the changes that Redis holds."""
    at: int = 0
    base: int = 0

    def change(self, content: int, happening: int) -> None:
        number = max(self.at, self.base) + 1
        self.line.append(len(self.seq))
        self.seq.append(number)
        self.follows.append(self.at)
        self.content.append(content)
        self.happening.append(happening)
        self.at = number

    def new(self) -> None:
        """Something happens; or the same once more, as a payment posted, reversed and posted."""
        name = 1 + max(self.happening, default=0)
        again = bool(self.line) and self.rng.random() < 0.2 and self.seq[self.line[-1]] > self.base
        self.change(self.content[self.line[-1]] if again else name, name)

    def lose(self) -> None:
        """Redis forgets its newest writes, or all; what it forgot may be sent once more."""
        self.base += REBUILT_EVERY * self.rng.randint(1, 3)
        kept = 0 if self.rng.random() < 0.3 else self.rng.randint(0, len(self.line))
        if kept and self.line and self.at % REBUILT_EVERY == 0:
            return
        # What is the same twice is lost, and sent again, as a whole: else nobody could tell.
        while 0 < kept < len(self.line) and self._is_same(kept):
            kept -= 1
        forgotten, self.line = self.line[kept:], self.line[:kept]
        # A rebuilt state is there as a whole or not at all.
        rebuilt = self.follows[forgotten[0]] if forgotten else self.at
        self.at = self.seq[self.line[-1]] if self.line else 0
        if kept and rebuilt % REBUILT_EVERY == 0 and rebuilt:
            self.at = rebuilt
        if self.rng.random() < 0.5:
            for place in forgotten:
                self.change(self.content[place], self.happening[place])

    def _is_same(self, place: int) -> bool:
        one, other = self.line[place - 1 : place + 1]
        return self.content[one] == self.content[other]

    def rebuild(self) -> None:
        """Redis is emptied, and rebuilt from all that is on record."""
        self.base += REBUILT_EVERY * self.rng.randint(1, 3)
        self.line = self.expected()
        self.at = self.base

    def expected(self) -> list[int]:
        """Places of the last time that each thing happened."""
        newest = {name: place for place, name in enumerate(self.happening)}
        return sorted(newest.values())

    @property
    def records(self) -> np.ndarray:
        return np.array([[each] * 6 for each in self.content], np.int64).reshape(-1, 6)


def a_life(seed: int, *, with_rebuilds: bool) -> Life:
    life = Life(random.Random(seed))
    for _ in range(life.rng.randint(1, 40)):
        chance = life.rng.random()
        if chance < 0.1:
            life.lose()
        elif chance < 0.15 and with_rebuilds:
            life.rebuild()
        else:
            life.new()
    return life


@pytest.mark.parametrize("seed", range(400))
def test_everything_that_happened_counts_once(seed: int) -> None:
    life = a_life(seed, with_rebuilds=seed % 2 == 0)
    content = [row.tobytes() for row in life.records]
    assert held_by_rebuilt(life.seq, life.follows, content) == life.expected()


@pytest.mark.parametrize("seed", range(200))
def test_training_knows_what_a_rebuilt_state_held(seed: int) -> None:
    life = a_life(seed, with_rebuilds=seed % 2 == 0)
    life.rebuild()
    count = len(life.seq)
    read = np.array([[0, life.at]], np.int64)
    seq, follows = np.array(life.seq, np.int64), np.array(life.follows, np.int64)
    found = chains_of(np.zeros(count, np.int64), seq, follows, 1, read, life.records)

    chain = found.find(read[:, 0], read[:, 1])[0]

    held = found.row[found.chain == chain]
    assert held[seq[held] <= life.at].tolist() == life.expected()
    assert not found.broken.any()


@pytest.mark.parametrize("seed", range(8))
def test_states_are_those_of_a_plain_model_to_the_last_bit(seed: int) -> None:
    service = PlayedService(random.Random(seed)).play(600)
    states = States()
    compared = 0
    for token, slow in (service._accounts | service._links).items():
        mine = [row for row in service.rows if row.get("account") == token and row.get("seq")]
        mine.sort(key=lambda row: int(row["seq"]))
        changes = [[int(row["change"]), *row["change_columns"]] for row in mine]
        state = states.after(np.array(changes, np.int64).reshape(-1, 6))
        if token in service._links:
            assert state.seen == slow.state().seen
            continue
        plain = slow.state(0)
        for name in ("out_ring", "in_ring", "reports", "hours", "days"):
            assert getattr(state, name) == getattr(plain, name), name
        for start in range(0, len(state.pairs), 32):
            pair = state.pairs[start : start + 32]
            other = int.from_bytes(pair[:8], "little", signed=True)
            assert slow.state(other).pair == pair
            compared += 1
        assert len(state.pairs) == 32 * len(slow.pairs)
    assert compared > 5


def test_a_part_of_an_archive_is_written_under_the_base_of_its_bucket() -> None:
    tokens = np.zeros((3, 16), np.uint8)
    tokens[2, 15] = 9
    records = np.zeros((3, 6), np.int64)
    records[:, 0], records[:, 1] = 1, (1, 1, 2)
    changes = PartChanges(
        tokens=tokens,
        seq=np.array([1, REBUILT_EVERY + 1, 1]),
        # The account's only payment was forgotten, and sent once more.
        follows=np.array([0, 0, 0]),
        records=records,
        links=np.array([b"a" * 16, b"b" * 16 + b"a" * 16, None], np.object_),
        starts=np.array([0, 2, 3]),
    )

    found = list(states_of(changes, [7 * REBUILT_EVERY + bucket for bucket in range(256)]))

    assert [(bucket, count) for bucket, count, _ in found] == [(0, 1), (9, 1)]
    _, write = found[0][2]
    fields = dict(zip(write[2::2], write[3::2], strict=True))
    assert fields["seq"] == 7 * REBUILT_EVERY
    assert len(fields["out"]) == 40
    assert fields["links"] == b"a" * 16 + b"b" * 16
