"""A rebuild of Redis, or a copy under another token key, from an archive that somebody changed."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from tests.journals import Journals

from fanzha.adapters.redis_commit import Lives
from fanzha.adapters.redis_link import RedisLink
from fanzha.archive.drain import drain
from fanzha.archive.rebuild import rebuild
from fanzha.domain.errors import SetupError
from fanzha.rekey.archive import copy_archive
from fanzha.secrets.chain import Successor
from fanzha.secrets.digests import Algorithm
from fanzha.secrets.token_key import plain_key

NOW_MS = 1_795_600_000_000
LIVES = Lives(7_200_000, 86_400_000)


@pytest.fixture
def archive(redis_url: str, tmp_path: Path) -> Path:
    journals = Journals(redis_url, buckets=5)
    journals.add(200)
    drain(RedisLink(redis_url, 5_000), tmp_path / "archive", lambda _: None)
    journals.client.flushall()
    return tmp_path / "archive"


def flipped(archive: Path, rng: random.Random) -> Callable[[], int]:
    """Flip one bit of a file; return what puts it back."""
    file = rng.choice(sorted(archive.glob("day=*/*")))
    content = file.read_bytes()
    changed = bytearray(content)
    changed[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    file.write_bytes(changed)
    return lambda: file.write_bytes(content)


def test_redis_is_not_rebuilt_from_records_that_were_changed(redis_url: str, archive: Path) -> None:
    link, rng = RedisLink(redis_url, 5_000), random.Random(3)
    for _ in range(20):
        put_back = flipped(archive, rng)
        with pytest.raises(SetupError, match="is not what was archived"):
            rebuild(link, archive, LIVES, NOW_MS, lambda *_: None)
        put_back()

    assert rebuild(link, archive, LIVES, NOW_MS, lambda *_: None).rows == 200


def test_an_archive_that_was_changed_is_not_re_keyed(archive: Path, tmp_path: Path) -> None:
    new, rng = Successor(plain_key(bytes(range(32)), Algorithm.BLAKE2B).keys[0]), random.Random(4)
    put_back = flipped(archive, rng)
    with pytest.raises(SetupError, match="is not what was archived"):
        copy_archive(archive, tmp_path / "one", new, ("a", "b"), NOW_MS, lambda _: None)

    put_back()
    copied = copy_archive(archive, tmp_path / "two", new, ("a", "b"), NOW_MS, lambda _: None)
    assert copied.rows == 200


def test_a_rebuild_that_was_frozen_while_another_did_the_work_writes_nothing_more(
    redis_url: str, archive: Path
) -> None:
    link = RedisLink(redis_url, 5_000)
    client = redis.Redis.from_url(redis_url)
    accounts: list[bytes] = []

    def while_it_is_frozen(step: str, _part: int, _of: int) -> None:
        if step == "reading" or accounts:
            return
        # The first part is written; meanwhile somebody starts it again, and workers go on.
        other = RedisLink(redis_url, 5_000)
        rebuild(other, archive, LIVES, NOW_MS, lambda *_: None)
        other.close()
        accounts.extend(client.scan_iter("*:account:*"))
        for key in accounts:
            client.hset(key, "seq", "999999999999999")
        client.delete(*client.scan_iter("{lists}:*"))

    with pytest.raises(SetupError, match="another rebuild of this Redis was started"):
        rebuild(link, archive, LIVES, NOW_MS, while_it_is_frozen)

    assert len(accounts) > 50
    assert {client.hget(key, "seq") for key in accounts} == {b"999999999999999"}
    assert list(client.scan_iter("{lists}:*")) == []
    client.close()
    link.close()
