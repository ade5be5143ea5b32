"""`fanzha audit verify` against somebody who may write the archive, without its key and with it."""

import shutil
from datetime import date
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from tests.integration.test_audit import (
    NOW_MS,
    close,
    commits,
    day_of,
    parts,
    resigned,
    run,
    verify,
)
from tests.journals import DAY_MS, Journals

from fanzha.adapters.redis_link import RedisLink
from fanzha.archive.drain import drain
from fanzha.archive.entries import Commit, decode_commit
from fanzha.archive.expire import Proposal, apply_removal, approve, plan_removal, write_proposal
from fanzha.archive.expiry_rules import DEFAULT_RULES
from fanzha.archive.log import commit_path
from fanzha.archive.machine_key import signer_for, trusted_folder
from fanzha.archive.writer import LogWriter
from fanzha.signing.keys import TrustedKeys, read_trusted


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


def test_a_removal_judged_by_a_day_to_come_is_refused_and_its_tombstone_is_found(
    archive: Path, tmp_path: Path
) -> None:
    signer = signer_for(archive, None, None)
    log = LogWriter(archive, signer, lambda: NOW_MS)
    log.refresh()
    removal = plan_removal(log, DEFAULT_RULES, date(2060, 1, 1))
    proposal = tmp_path / "proposal.json"
    write_proposal(proposal, Proposal(removal, approve(removal, signer)))
    files = parts(archive)

    refused = run("audit", "expire", "--archive", archive, "--proposal", proposal, "--apply")

    assert "yet to come" in str(refused.exception)
    assert parts(archive) == files
    # One who signs can go past the command, and past their own clock.
    for number, now_ms in enumerate((NOW_MS, 2_850_000_000_000)):
        place = tmp_path / str(number) / "archive"
        for name in ("archive", "archive-keys"):
            shutil.copytree(tmp_path / name, tmp_path / str(number) / name)
        lying = LogWriter(place, signer, lambda: 2_850_000_000_000)
        lying.refresh()
        apply_removal(lying, removal, [approve(removal, signer)], keys_of(place), lambda _: None)
        expired = next(x.number for x in map(decoded, commits(place)) if x.expiry is not None)
        resigned(place, expired, signer, write_time_ms=now_ms)
        result = verify(place)
        assert result.exit_code == 3
        assert "this tombstone does not stand: it was judged by 2060-01-01" in result.output


def decoded(file: Path) -> Commit:
    return decode_commit(file.read_bytes())


def keys_of(place: Path) -> TrustedKeys:
    return read_trusted(trusted_folder(place, None))


@pytest.mark.parametrize(
    "name", ["extra.parquet", "part-zzz.parquet", "sub/part-1790000000000-0a0a0a0a.parquet"]
)
def test_a_file_that_no_archiver_would_write_is_found(archive: Path, name: str) -> None:
    strange = parts(archive)[0].parent / name
    strange.parent.mkdir(exist_ok=True)
    pq.write_table(pq.ParquetFile(parts(archive)[0]).read().slice(1), strange)

    result = verify(archive)

    assert result.exit_code == 3
    assert "no archiver gives such a name" in result.output


def test_a_day_of_which_nothing_is_there_is_said(archive: Path) -> None:
    result = verify(archive, "--day", "2031-01-01")

    assert "the archive holds nothing of 2031-01-01" in result.output
