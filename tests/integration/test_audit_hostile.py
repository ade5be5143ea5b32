"""`fanzha audit verify` against somebody who may write the archive, without its key and with it."""

from pathlib import Path

import msgspec
import pytest
from tests.integration.test_audit import NOW_MS, close, commits, day_of, resigned, verify
from tests.journals import DAY_MS, Journals

from fanzha.adapters.redis_link import RedisLink
from fanzha.archive.drain import drain
from fanzha.archive.entries import decode_commit
from fanzha.archive.log import commit_path
from fanzha.archive.machine_key import signer_for


@pytest.fixture
def archive(redis_url: str, tmp_path: Path) -> Path:
    """An archive of two days and three rounds, the first day closed; Redis holds its cursors."""
    place = tmp_path / "archive"
    link, journals = RedisLink(redis_url, 5_000), Journals(redis_url, buckets=5)
    for time_ms in (NOW_MS - DAY_MS, NOW_MS, NOW_MS):
        journals.add(60, time_ms)
        drain(link, place, lambda _: None)
    close(place, day_of(NOW_MS - DAY_MS))
    link.close()
    return place


@pytest.mark.parametrize(
    ("said", "instead"),
    [(b'"last":"1', b'"last":"x'), (b'"first":"1', b'"first":"-'), (b"day=20", b"day=/0")],
)
def test_a_commit_that_says_what_cannot_be_is_named_and_the_rest_is_checked(
    archive: Path, said: bytes, instead: bytes
) -> None:
    file = commits(archive)[1]
    file.write_bytes(file.read_bytes().replace(said, instead, 1))

    result = verify(archive)

    assert result.exit_code == 3
    assert f"{commit_path(2)}: its signature does not fit" in result.output


def test_what_cannot_be_is_a_fault_also_under_a_good_signature(archive: Path) -> None:
    entry = decode_commit(commits(archive)[1].read_bytes()).files[0]
    elsewhere = msgspec.structs.replace(entry, path="../outside.parquet")
    resigned(archive, 2, signer_for(archive, None, None), files=[elsewhere])

    result = verify(archive)

    assert result.exit_code == 3
    assert f"{commit_path(2)}: it says what cannot be" in result.output


def test_the_newest_signature_in_other_letters_is_not_the_one_that_was_made(archive: Path) -> None:
    file = commits(archive)[-1]
    head, sign, signature = file.read_bytes().rpartition(b'"signature":')
    file.write_bytes(head + sign + signature.upper())

    result = verify(archive)

    assert result.exit_code == 3
    assert "its signature does not fit what it says" in result.output
