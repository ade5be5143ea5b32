"""The hard list entries that imports leave in a real Redis, and what workers make of them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis
from tests.decision_inputs import an_entry

from fanzha.adapters import keys
from fanzha.adapters.codec import encode
from fanzha.adapters.hard_lists import HardLists, hard_rows, renamed
from fanzha.adapters.redis_link import RedisLink
from fanzha.adapters.redis_lists import CommittedLists, import_entries
from fanzha.archive import schema
from fanzha.archive.rebuild_lists import Lists
from fanzha.domain.evidence import ListSubject, WatchlistEntry
from fanzha.domain.record import ListImportRecord
from fanzha.domain.vocabulary import WatchlistGrade

MANY = 2_500
"""Three groups of entries."""
HEADER = ListImportRecord("", "zhang.wei", "li.na", "", (), 1)


def token(number: int) -> bytes:
    return number.to_bytes(16, "big")


def entries(
    count: int, grade: WatchlistGrade = WatchlistGrade.INVOLVED
) -> Iterator[tuple[bytes, WatchlistEntry]]:
    return ((token(number), an_entry(grade=grade)) for number in range(count))


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(redis_url)
    yield client
    client.close()


def followed(link: RedisLink) -> tuple[CommittedLists, HardLists]:
    hard = HardLists(link, 10_000)
    lists = CommittedLists(link, hard)
    lists.refresh()
    return lists, hard


def grades(lists: CommittedLists, number: int) -> list[WatchlistGrade]:
    found = lists.copied([(ListSubject.PAYEE_ACCOUNT, token(number))])
    return [entry.grade for _, entry in found]


def test_workers_follow_each_import(link: RedisLink, client: redis.Redis) -> None:
    import_entries(link, HEADER, entries(MANY))
    lists, hard = followed(link)
    assert len(hard) == MANY
    assert [grades(lists, number) for number in (0, 1_999, MANY - 1, MANY)] == [
        *[[WatchlistGrade.INVOLVED]] * 3,
        [],
    ]

    import_entries(link, HEADER, entries(10, WatchlistGrade.WATCH))
    lists.refresh()

    assert (len(hard), grades(lists, 9), grades(lists, 10)) == (
        MANY - 10,
        [],
        [WatchlistGrade.INVOLVED],
    )
    stored = [client.pttl(key) for key in client.scan_iter("{lists}:hard:*")]
    assert stored == [-1, -1]


def test_what_was_cut_off_counts_for_nobody_and_goes(link: RedisLink, client: redis.Redis) -> None:
    def cut_off() -> Iterator[tuple[bytes, WatchlistEntry]]:
        yield from entries(1_000)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_entries(link, HEADER, cut_off())

    _, hard = followed(link)
    (key,) = client.scan_iter("{lists}:hard:*")
    assert len(hard) == 0
    assert 0 < client.pttl(key) <= 86_400_000


def test_a_redis_that_is_emptied_is_not_believed_until_lists_begin_anew(
    link: RedisLink, client: redis.Redis
) -> None:
    import_entries(link, HEADER, entries(2))
    lists, hard = followed(link)
    client.flushall()
    lists.refresh()
    assert (len(hard), lists.has_forgotten, lists.version) == (2, True, "lists-000001")

    # It gets the number of the one that was lost.
    import_entries(link, HEADER, entries(1))
    lists.refresh()

    assert (len(hard), lists.has_forgotten) == (1, False)


def test_a_rebuilt_redis_says_the_same(link: RedisLink, client: redis.Redis) -> None:
    notes = [
        replace(HEADER, import_id="import-000001", entries=tuple(entries(3))),
        replace(HEADER, import_id="import-000002", entries=tuple(entries(1, WatchlistGrade.WATCH))),
    ]
    # Rows come in any order.
    rebuilt = Lists(link.run)
    for number, note in reversed(list(enumerate(notes, 1))):
        done = replace(note, entries=(), commit=number)
        rebuilt.add(schema.KIND_LIST_COMMIT, encode(done))
        rebuilt.add(schema.KIND_LIST_IMPORT, encode(note))
    rebuilt.bring_into_effect()

    lists, _ = followed(link)

    assert [grades(lists, number) for number in range(3)] == [
        [],
        [WatchlistGrade.INVOLVED],
        [WatchlistGrade.INVOLVED],
    ]
    assert client.get(keys.LIST_HISTORY)


def test_rows_get_the_names_of_a_new_key() -> None:
    rows = hard_rows(entries(3))

    assert renamed(rows, lambda old: token(int.from_bytes(old, "big") + 7)) == hard_rows(
        (token(number + 7), entry) for number, (_, entry) in enumerate(entries(3))
    )
