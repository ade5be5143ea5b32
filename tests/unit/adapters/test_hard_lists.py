"""The worker's copy of hard list entries says what Redis would: nothing ended, nothing lifted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanzha.adapters.hard_lists import HardLists, Import, condensed, hard_rows, newest_rows
from fanzha.domain.errors import StoreUnavailableError
from fanzha.domain.evidence import WatchlistEntry
from fanzha.domain.vocabulary import WatchlistGrade, WatchlistKind

NOW_MS = 1_000_000
EVER = 2**60
A, B, C = b"a" * 16, b"b" * 15 + b"\0", b"\0" * 16


def entry(
    grade: WatchlistGrade = WatchlistGrade.INVOLVED,
    kind: WatchlistKind = WatchlistKind.ACCOUNT,
    begins: int = 0,
    ends: int = EVER,
) -> WatchlistEntry:
    return WatchlistEntry(kind, grade, "police", "A-1", "261", begins, ends, "one", "two")


class Redis:
    """Holds what imports left; counts how often it is asked for one."""

    def __init__(self) -> None:
        self.imports: dict[bytes, dict[bytes, bytes]] = {}
        self.orders: dict[bytes, int] = {}
        self.reads: list[bytes] = []
        self.history = b"h1"
        self.is_away = False

    def bring(self, name: str, order: int, *entries: tuple[bytes, WatchlistEntry]) -> None:
        place = b"{lists}:hard:" + name.encode()
        self.imports[place] = {b"%d" % i: hard_rows([one]) for i, one in enumerate(entries)}
        self.orders[name.encode()] = order

    def present(self) -> list[Import]:
        return [Import(name, order) for name, order in self.orders.items()]

    def run(self, commands: list[tuple[object, ...]]) -> list[object]:
        if self.is_away:
            raise StoreUnavailableError("away")
        ((name, place, *fields),) = commands
        assert isinstance(place, bytes)
        groups = self.imports.get(place, {})
        if name == "HKEYS":
            self.reads.append(place.removeprefix(b"{lists}:hard:"))
            return [list(groups)]
        assert name == "HMGET"
        return [[groups.get(field) for field in fields]]


@pytest.fixture
def store() -> Redis:
    return Redis()


@pytest.fixture
def copy(store: Redis) -> HardLists:
    return HardLists(store, 1_000)


def follow(copy: HardLists, store: Redis, now_ms: int = NOW_MS) -> None:
    copy.follow(store.present(), store.history, now_ms)


def involved(copy: HardLists, token: bytes, now_ms: int = NOW_MS) -> bool:
    """Say what `gather` would make of the entries."""
    last = None
    for one in copy.find(token):
        if one.kind is WatchlistKind.ACCOUNT and one.valid_from_ms <= now_ms < one.valid_until_ms:
            last = one
    return last is not None and last.grade is WatchlistGrade.INVOLVED


class TestWhatIsKept:
    """Involved accounts and verified billers, whatever bytes their tokens have."""

    def test_involved_accounts_are_found(self, store: Redis, copy: HardLists) -> None:
        store.bring("import-1", 1, (A, entry()), (B, entry()), (C, entry()))

        follow(copy, store)

        assert [involved(copy, token) for token in (A, B, C, b"b" * 16)] == [True] * 3 + [False]
        assert copy.find(A)[0].source == "copy of import-1"

    def test_milder_accounts_phones_and_people_are_not(self, store: Redis, copy: HardLists) -> None:
        store.bring(
            "import-1",
            1,
            (A, entry(WatchlistGrade.WATCH)),
            (B, entry(kind=WatchlistKind.PHONE)),
            (C, entry(kind=WatchlistKind.PERSON)),
        )

        follow(copy, store)

        assert len(copy) == 0

    def test_verified_billers_are(self, store: Redis, copy: HardLists) -> None:
        store.bring(
            "import-1", 1, (A, entry(WatchlistGrade.UNSPECIFIED, WatchlistKind.VERIFIED_BILLER))
        )

        follow(copy, store)

        assert [one.kind for one in copy.find(A)] == [WatchlistKind.VERIFIED_BILLER]


class TestWhatNoLongerBlocks:
    """An entry that ended or was lifted blocks nobody."""

    def test_an_entry_that_ended(self, store: Redis, copy: HardLists) -> None:
        store.bring("import-1", 1, (A, entry(ends=NOW_MS + 5)))
        follow(copy, store)

        assert involved(copy, A, NOW_MS + 4)
        assert not involved(copy, A, NOW_MS + 5)

    def test_a_milder_entry_lifts(self, store: Redis, copy: HardLists) -> None:
        store.bring("import-1", 1, (A, entry()), (B, entry()))
        follow(copy, store)
        store.bring("import-2", 2, (A, entry(WatchlistGrade.WATCH)))
        follow(copy, store)

        assert (involved(copy, A), involved(copy, B)) == (False, True)
        assert copy.find(A) == []
        assert store.reads == [b"import-1", b"import-2"]

    def test_for_as_long_as_it_holds(self, store: Redis, copy: HardLists) -> None:
        store.bring("import-1", 1, (A, entry()))
        store.bring("import-2", 2, (A, entry(WatchlistGrade.WATCH, ends=NOW_MS + 5)))
        follow(copy, store)

        assert [involved(copy, A, NOW_MS + t) for t in (0, 4, 5)] == [False, False, True]

    def test_an_import_that_is_seen_late_counts_in_its_order(
        self, store: Redis, copy: HardLists
    ) -> None:
        store.bring("import-2", 2, (A, entry(WatchlistGrade.WATCH)))
        follow(copy, store)
        store.bring("import-1", 1, (A, entry()))
        follow(copy, store)

        assert not involved(copy, A)

    def test_the_later_of_two_entries_in_one_import_counts(
        self, store: Redis, copy: HardLists
    ) -> None:
        store.bring("import-1", 1, (A, entry()), (A, entry(WatchlistGrade.WATCH)))
        follow(copy, store)

        assert not involved(copy, A)

    @given(st.lists(st.tuples(st.sampled_from([0, 2, 3]), st.integers(0, 6), st.integers(0, 6))))
    def test_the_copy_says_what_redis_would(self, said: list[tuple[int, int, int]]) -> None:
        store, copy = Redis(), HardLists(Redis(), 1_000)
        copy._link = store
        for order, (grade, begins, ends) in enumerate(said, 1):
            store.bring(f"import-{order}", order, (A, entry(WatchlistGrade(grade), begins=begins,
                                                            ends=ends)))  # fmt: skip
            if order % 2:
                follow(copy, store, 2)
        follow(copy, store, 2)

        for now_ms in range(2, 8):
            in_force = [grade for grade, begins, ends in said if begins <= now_ms < ends]
            assert involved(copy, A, now_ms) == (in_force[-1:] == [3])


class TestOutages:
    """What was read stays, and what another process serves is read anew."""

    def test_what_was_read_stays_while_redis_is_away(self, store: Redis, copy: HardLists) -> None:
        store.bring("import-1", 1, (A, entry()))
        follow(copy, store)
        store.bring("import-2", 2, (B, entry()))
        store.is_away = True
        with pytest.raises(StoreUnavailableError):
            follow(copy, store)
        assert (involved(copy, A), involved(copy, B)) == (True, False)

        store.is_away = False
        follow(copy, store)

        assert involved(copy, B)

    def test_what_redis_forgot_is_kept_until_lists_begin_anew(
        self, store: Redis, copy: HardLists
    ) -> None:
        store.bring("import-1", 1, (A, entry()))
        follow(copy, store)
        store.orders.clear()

        follow(copy, store)
        assert (involved(copy, A), copy.has_forgotten) == (True, True)

        store.history = b"h2"
        store.bring("import-1", 1, (B, entry()))
        follow(copy, store)
        assert (involved(copy, A), involved(copy, B), copy.has_forgotten) == (False, True, False)

    def test_an_import_that_a_failover_forgot_is_kept(self, store: Redis, copy: HardLists) -> None:
        store.bring("import-1", 1, (A, entry()))
        store.bring("import-2", 2, (B, entry()))
        follow(copy, store)
        del store.orders[b"import-2"]
        copy.doubt()

        follow(copy, store)
        assert (involved(copy, B), copy.has_forgotten) == (True, True)

        store.bring("import-2", 2, (C, entry()))
        follow(copy, store)
        held = [involved(copy, token) for token in (A, B, C)]
        assert (held, copy.has_forgotten) == ([True, False, True], False)

    def test_nothing_is_read_twice(self, store: Redis, copy: HardLists) -> None:
        store.bring("import-1", 1, (A, entry()))

        for _ in range(3):
            follow(copy, store)

        assert store.reads == [b"import-1"]


class TestBound:
    """The copy is bounded; what was listed last stays."""

    def test_the_newest_imports_stay(self, store: Redis) -> None:
        copy = HardLists(store, 2)
        store.bring("import-1", 1, (A, entry()), (B, entry()))
        store.bring("import-2", 2, (C, entry()))

        follow(copy, store)

        assert (len(copy), copy.is_full, involved(copy, C)) == (2, True, True)

    def test_a_token_stays_whole_or_goes(self, store: Redis) -> None:
        store.bring("import-1", 1, (A, entry()), (B, entry()))
        store.bring("import-2", 2, (A, entry(WatchlistGrade.WATCH, ends=NOW_MS + 5)))
        copy = HardLists(store, 10)
        follow(copy, store)

        assert {bytes(row["token"]) for row in newest_rows(copy._rows, 2)} == {A}
        assert len(newest_rows(copy._rows, 1)) <= 1

    def test_daily_imports_of_the_same_list_do_not_add_up(
        self, store: Redis, copy: HardLists
    ) -> None:
        for day in range(1, 20):
            store.bring(f"import-{day}", day, (A, entry(begins=day, ends=EVER + day)))
            follow(copy, store)

        assert len(copy) == 1

    def test_no_rows_are_fine(self) -> None:
        assert len(condensed(np.empty(0, HardLists(None, 1)._rows.dtype), NOW_MS)) == 0
