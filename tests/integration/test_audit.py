"""`fanzha audit`: one flipped byte, one missing record, one exchanged file is found and named."""

import json
import random
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis
from tests.journals import DAY_MS, Journals, archived_names
from typer.testing import CliRunner, Result

from fanzha.__main__ import app
from fanzha.adapters.embedded_redis import EmbeddedRedis
from fanzha.adapters.redis_link import RedisLink
from fanzha.archive.close import Closing, close_due
from fanzha.archive.drain import drain
from fanzha.archive.entries import (
    Commit,
    decode_commit,
    encoded,
    hash_of,
    to_sign,
)
from fanzha.archive.find import find_decision_body
from fanzha.archive.log import ArchiveLog, commit_path
from fanzha.archive.machine_key import signer_for
from fanzha.archive.writer import LogWriter
from fanzha.domain.errors import SetupError
from fanzha.signing.keys import Signer, load_signer, make_key

NOW_MS = time.time_ns() // 1_000_000


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def verify(archive: Path, *options: object) -> Result:
    result = run("audit", "verify", "--archive", archive, *options)
    assert result.exit_code in (0, 3), result.exception
    return result


def day_of(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).date().isoformat()


def close(archive: Path, *days: str) -> None:
    log = LogWriter(archive, signer_for(archive, None, None), lambda: NOW_MS)
    for day in days:
        close_due(log, Closing(0.0), day)


@pytest.fixture(scope="module")
def original(redis_server: EmbeddedRedis) -> Iterator[Path]:
    """An archive of two days, both closed, one of them with a supplement."""
    client = redis.Redis.from_url(redis_server.url)
    client.flushall()
    with tempfile.TemporaryDirectory(prefix="fz-") as folder:
        archive = Path(folder) / "archive"
        link, journals = RedisLink(redis_server.url, 5_000), Journals(redis_server.url, buckets=9)
        journals.add(300, NOW_MS - DAY_MS)
        journals.add(300, NOW_MS)
        drain(link, archive, lambda _: None, round_rows=150)
        close(archive, day_of(NOW_MS - DAY_MS), day_of(NOW_MS))
        journals.add(200, NOW_MS - DAY_MS)
        drain(link, archive, lambda _: None, round_rows=150)
        close(archive, day_of(NOW_MS - DAY_MS))
        link.close()
        yield archive
    client.close()


@pytest.fixture
def archive(original: Path, tmp_path: Path) -> Path:
    """A copy of it, to be tampered with."""
    shutil.copytree(original.parent, tmp_path / "copy")
    return tmp_path / "copy" / "archive"


def parts(archive: Path) -> list[Path]:
    return sorted(archive.glob("day=*/part-*.parquet"))


def commits(archive: Path) -> list[Path]:
    return sorted(archive.glob("_log/*.json"))


def manifests(archive: Path) -> list[Path]:
    return sorted(archive.glob("_manifests/*.json"))


def test_an_archive_as_it_was_written_has_no_fault(archive: Path) -> None:
    result = verify(archive, "--json")
    found = json.loads(result.stdout)

    assert result.exit_code == 0
    assert found["faults"] == []
    assert found["rows"] == 800
    assert found["manifests"] == 3
    assert len(parts(archive)) == found["files"] > 5


@pytest.mark.parametrize("kind", [parts, commits, manifests])
def test_one_flipped_bit_is_found_wherever_it_is(
    archive: Path, kind: Callable[[Path], list[Path]]
) -> None:
    rng = random.Random(kind.__name__)
    for _ in range(12):
        file = rng.choice(kind(archive))
        content = file.read_bytes()
        place = rng.randrange(len(content))
        changed = bytearray(content)
        changed[place] ^= 1 << rng.randrange(8)
        file.write_bytes(changed)

        result = verify(archive)

        assert result.exit_code == 3, (file.name, place)
        if file.suffix == ".parquet":
            assert "(as many, and others)" in result.output
        assert str(file.relative_to(archive)) in result.output, (file.name, place)
        file.write_bytes(content)


def test_a_removed_row_is_found_and_counted(archive: Path) -> None:
    file = parts(archive)[2]
    table = pq.ParquetFile(file).read()
    pq.write_table(pa.concat_tables([table.slice(0, 5), table.slice(6)]), file)

    result = verify(archive)

    assert result.exit_code == 3
    assert f"it has {len(table) - 1} row(s) rather than {len(table)}" in result.output
    assert "are not those that the chain was made of" in result.output


def test_a_removed_file_is_found(archive: Path) -> None:
    file = parts(archive)[1]
    rows = pq.ParquetFile(file).metadata.num_rows
    file.unlink()

    result = verify(archive)

    assert result.exit_code == 3
    assert f"{file.relative_to(archive)}: this file is missing" in result.output
    assert f"{rows} record(s) are gone" in result.output


def test_a_removed_commit_is_found_and_readers_refuse_the_archive(archive: Path) -> None:
    commits(archive)[2].unlink()

    result = verify(archive)

    assert result.exit_code == 3
    assert f"{commit_path(3)}: this commit is missing" in result.output
    with pytest.raises(SetupError, match="a part of it is missing"):
        ArchiveLog(archive).files()


def test_the_newest_commit_is_missed_by_a_noted_head_or_by_redis(
    archive: Path, redis_url: str
) -> None:
    drain_more(archive, redis_url)
    head = run("audit", "head", "--archive", archive).stdout.strip()
    assert json.loads(run("audit", "head", "--archive", archive, "--json").stdout) == {"head": head}
    assert verify(archive, "--head", head, "--redis", redis_url).exit_code == 0
    commits(archive)[-1].unlink()

    alone = verify(archive)
    noted, asked = verify(archive, "--head", head), verify(archive, "--redis", redis_url)

    assert alone.exit_code == 0
    assert "is named by no commit" in alone.output
    assert noted.exit_code == asked.exit_code == 3
    assert "it was noted, and the log ends with commit" in noted.output
    assert "Redis was trimmed up to" in asked.output


def drain_more(archive: Path, url: str) -> None:
    """Archive the journal of another Redis, all of whose buckets are new."""
    journals = Journals(url, seed=99)
    journals.add(40)
    drain(RedisLink(url, 5_000), archive, lambda _: None)


def test_a_log_that_was_written_anew_is_not_the_one_that_was_noted(archive: Path) -> None:
    result = verify(archive, "--head", f"2:{'0' * 64}")

    assert result.exit_code == 3
    assert "commit 2: it is another one than the one that was noted" in result.output


def test_a_removed_manifest_is_found_and_can_be_written_again(archive: Path) -> None:
    day = day_of(NOW_MS)
    file = archive / "_manifests" / f"{day}.json"
    content = file.read_bytes()
    file.unlink()

    result = verify(archive)
    run("audit", "close", "--archive", archive, "--day", day)

    assert result.exit_code == 3
    assert f"_manifests/{day}.json: this manifest is missing" in result.output
    assert file.read_bytes() == content
    assert verify(archive).exit_code == 0


def test_two_files_that_were_exchanged_are_named_both(archive: Path) -> None:
    one, other = parts(archive)[0], parts(archive)[-1]
    contents = one.read_bytes(), other.read_bytes()
    other.write_bytes(contents[0])
    one.write_bytes(contents[1])

    result = verify(archive)

    assert result.exit_code == 3
    for mine, theirs in ((one, other), (other, one)):
        told = f"{mine.relative_to(archive)}: its content is that of {theirs.relative_to(archive)}"
        assert told in result.output


@pytest.mark.parametrize("name", ["part-1790000000000-0a0a0a0a.parquet", "part-copy.parquet"])
def test_an_old_file_under_a_new_name_is_found_and_read_by_nobody(archive: Path, name: str) -> None:
    file = parts(archive)[0]
    # A name that no archiver gives, or a day of which no archiver would write it.
    copy = (file.parent if name == "part-copy.parquet" else parts(archive)[-1].parent) / name
    names = archived_names(archive)
    shutil.copy(file, copy)

    result = verify(archive)

    assert result.exit_code == 3
    assert f"{copy.relative_to(archive)}: no commit names it" in result.output
    assert archived_names(archive) == names


def resigned(archive: Path, number: int, signer: Signer, **changes: Any) -> None:
    """Change a commit, sign it, and write all commits after it anew, as one with a key could."""
    previous = None
    for file in commits(archive)[number - 1 :]:
        commit = decode_commit(file.read_bytes())
        if commit.number == number:
            commit = msgspec.structs.replace(commit, name=signer.name, key=signer.key, **changes)
        if previous is not None:
            commit = msgspec.structs.replace(commit, previous=previous)
        trusted = signer_for(archive, None, None)
        by = signer if commit.number == number else trusted
        commit = msgspec.structs.replace(commit, signature=by.sign(to_sign(commit)))
        file.write_bytes(encoded(commit))
        previous = hash_of(encoded(commit))


def test_a_commit_signed_by_somebody_untrusted_is_found(archive: Path, tmp_path: Path) -> None:
    make_key("stranger", tmp_path / "stranger.key")
    stranger = load_signer("stranger", tmp_path / "stranger.key")
    resigned(archive, 2, stranger)

    result = verify(archive)

    assert result.exit_code == 3
    assert f"{commit_path(2)}: it is signed by somebody who is not trusted" in result.output


def test_rows_that_were_changed_with_the_archivers_own_key_break_the_chain(archive: Path) -> None:
    commit = decode_commit(commits(archive)[1].read_bytes())
    entry = commit.files[0]
    file = archive / entry.path
    table = pq.ParquetFile(file).read()
    pq.write_table(table.slice(1), file)
    content = file.read_bytes()
    changed = msgspec.structs.replace(
        entry, bytes=len(content), sha256=hash_of(content), rows=entry.rows - 1
    )
    resigned(archive, 2, signer_for(archive, None, None), files=[changed, *commit.files[1:]])

    result = verify(archive)

    assert result.exit_code == 3
    assert "are not those that the chain was made of" in result.output
    assert "do not add up" in result.output


def test_columns_have_to_follow_from_what_was_journaled(archive: Path) -> None:
    commit = decode_commit(commits(archive)[0].read_bytes())
    entry = commit.files[0]
    file = archive / entry.path
    table = pq.ParquetFile(file).read()
    place = table.column_names.index("points")
    table = table.set_column(
        place, table.schema.field("points"), pa.array([1] * len(table), "int16")
    )
    pq.write_table(table, file)
    content = file.read_bytes()
    changed = msgspec.structs.replace(entry, bytes=len(content), sha256=hash_of(content))
    resigned(archive, 1, signer_for(archive, None, None), files=[changed, *commit.files[1:]])

    result = verify(archive)

    assert result.exit_code == 3
    assert re.search(r"points of record \S+ does not follow from what was journaled", result.output)


def test_a_file_that_is_committed_a_second_time_doubles_its_records(archive: Path) -> None:
    first = decode_commit(commits(archive)[0].read_bytes()).files[0]
    copy = f"{first.path.partition('/')[0]}/part-1790000000000-0b0b0b0b.parquet"
    shutil.copy(archive / first.path, archive / copy)
    log = LogWriter(archive, signer_for(archive, None, None), lambda: NOW_MS)
    log.refresh()
    again = msgspec.structs.replace(first, path=copy)
    log.append("add", lambda: {"files": log.link_files([again], {})})

    result = verify(archive)

    assert result.exit_code == 3
    assert "a record was archived twice" in result.output
    assert "journal entries come before those of the link before" in result.output


def test_one_day_alone_can_be_checked(archive: Path) -> None:
    yesterday, today = day_of(NOW_MS - DAY_MS), day_of(NOW_MS)
    file = next(file for file in parts(archive) if today in str(file))
    file.unlink()

    assert verify(archive, "--day", yesterday).exit_code == 0
    assert verify(archive, "--day", today).exit_code == 3


def test_rows_that_come_late_go_into_a_supplement(archive: Path) -> None:
    day = day_of(NOW_MS - DAY_MS)
    first, second = (
        msgspec.json.decode((archive / "_manifests" / name).read_bytes())
        for name in (f"{day}.json", f"{day}.1.json")
    )

    assert second["rows"] > first["rows"]
    assert {x["path"] for x in first["files"]} < {x["path"] for x in second["files"]}
    assert second["supplement"] == 1


def test_days_are_closed_once_they_and_their_records_are_old_enough(archive: Path) -> None:
    link = "--manifest-after"
    assert run("audit", "close", "--archive", archive, link, "0").stdout == "closed 0 day(s)\n"
    log = LogWriter(archive, signer_for(archive, None, None), lambda: NOW_MS + 3 * DAY_MS)
    log.refresh()
    log.touched[day_of(NOW_MS)] = NOW_MS + 2 * DAY_MS

    assert close_due(log, Closing(25.0)) == 0
    assert close_due(log, Closing(23.0)) == 1


OLD_MS = NOW_MS - 12 * 365 * DAY_MS


@pytest.fixture
def aged(redis_url: str, tmp_path: Path) -> Path:
    """An archive with decisions of twelve years ago, closed, and of now."""
    archive = tmp_path / "aged" / "archive"
    journals = Journals(redis_url, buckets=5)
    journals.add(150, OLD_MS)
    journals.add(100, NOW_MS)
    drain(RedisLink(redis_url, 5_000), archive, lambda _: None)
    close(archive, day_of(OLD_MS))
    return archive


def test_what_is_older_than_ten_years_goes_and_leaves_a_tombstone(aged: Path) -> None:
    old = [file for file in parts(aged) if day_of(OLD_MS) in str(file)]
    name = pq.ParquetFile(old[0]).read(["decision_id"]).column(0).drop_null()[0].as_py()
    reader = ArchiveLog(aged)
    assert find_decision_body(reader, name) is not None
    before = len(archived_names(aged))

    dry = run("audit", "expire", "--archive", aged)
    assert all(file.exists() for file in old)
    done = run("audit", "expire", "--archive", aged, "--apply")

    assert dry.exit_code == done.exit_code == 0, done.exception
    assert "nothing was removed" in dry.stdout
    assert not any(file.exists() for file in old)
    assert len(archived_names(aged)) < before
    assert find_decision_body(reader, name) is None
    result = verify(aged)
    assert result.exit_code == 0, result.output
    tombstone = [decode_commit(x.read_bytes()) for x in commits(aged)]
    (expiry,) = [commit.expiry for commit in tombstone if commit.expiry is not None]
    assert {gone.path for gone in expiry.gone} == {str(x.relative_to(aged)) for x in old}
    assert "反洗钱法" in json.dumps(expiry.gone[0].rules, ensure_ascii=False)
    # The day is stated anew, without what went.
    assert f"{day_of(OLD_MS)}.1.json" in [file.name for file in manifests(aged)]


RULES = "rules:\n  execution: {years: 11, basis: a decision of the board}\n"


@pytest.fixture
def people(aged: Path) -> dict[str, Path]:
    """Two people whose keys are trusted."""
    trusted = aged.parent / "archive-keys" / "trusted"
    found = {}
    for name in ("wang", "li"):
        public = make_key(name, aged.parent / "keys" / f"{name}.key")
        public.rename(trusted / public.name)
        found[name] = aged.parent / "keys" / f"{name}.key"
    return found


def test_other_rules_need_two_people_and_a_kind_can_go_alone(
    aged: Path, people: dict[str, Path]
) -> None:
    rules, proposal = aged.parent / "rules.yaml", aged.parent / "proposal.json"
    rules.write_text(RULES)
    start = ["audit", "expire", "--archive", aged]
    wang = ["--key", people["wang"], "--as", "wang"]
    alone = run(*start, "--rules", rules, "--apply", *wang)
    proposed = run(*start, "--rules", rules, "--propose", proposal, *wang)
    by_herself = run(*start, "--proposal", proposal, "--apply", *wang)
    by_machine = run(*start, "--proposal", proposal, "--apply")
    before = archived_names(aged)

    done = run(*start, "--proposal", proposal, "--apply", "--key", people["li"], "--as", "li")

    assert "two people" in str(alone.exception)
    assert proposed.exit_code == 0, proposed.exception
    assert "1 of 2 approval(s) count" in str(by_herself.exception)
    assert "machine" in str(by_machine.exception)
    assert done.exit_code == 0, done.exception
    gone = set(before) - set(archived_names(aged))
    assert gone
    assert {name[0] for name in gone} == {"E"}
    result = verify(aged)
    assert result.exit_code == 0, result.output


def test_the_chain_is_checked_across_what_went_twice(aged: Path, people: dict[str, Path]) -> None:
    rules, proposal = aged.parent / "rules.yaml", aged.parent / "proposal.json"
    rules.write_text(RULES)
    start = ["audit", "expire", "--archive", aged]
    run(*start, "--rules", rules, "--propose", proposal, "--key", people["wang"], "--as", "wang")
    run(*start, "--proposal", proposal, "--apply", "--key", people["li"], "--as", "li")
    assert verify(aged).exit_code == 0
    left = next(file for file in parts(aged) if day_of(OLD_MS) in str(file))
    table = pq.ParquetFile(left).read()
    content = left.read_bytes()
    pq.write_table(table.slice(1), left)
    tampered = verify(aged)
    left.write_bytes(content)

    done = run(*start, "--apply")

    assert "are not those that the chain was made of" in tampered.output
    assert done.exit_code == 0, done.exception
    result = verify(aged)
    assert result.exit_code == 0, result.output
    assert not left.exists()


def test_a_tombstone_that_nobody_approved_is_found(aged: Path) -> None:
    run("audit", "expire", "--archive", aged, "--apply")
    number = next(
        commit.number
        for file in commits(aged)
        if (commit := decode_commit(file.read_bytes())).expiry is not None
    )
    commit: Commit = decode_commit(commits(aged)[number - 1].read_bytes())
    assert commit.expiry is not None
    alone = msgspec.structs.replace(commit.expiry, approvals=[])
    resigned(aged, number, signer_for(aged, None, None), expiry=alone)

    result = verify(aged)

    assert result.exit_code == 3
    assert "this tombstone does not stand: 0 of 1 approval(s) count" in result.output


def test_a_damaged_file_is_not_expired(aged: Path) -> None:
    old = next(file for file in parts(aged) if day_of(OLD_MS) in str(file))
    old.write_bytes(old.read_bytes()[:-1])

    result = run("audit", "expire", "--archive", aged, "--apply")

    assert "is not what was archived" in str(result.exception)
    assert old.exists()


def test_a_folder_without_a_log_says_what_to_do(tmp_path: Path) -> None:
    result = run("audit", "verify", "--archive", tmp_path)

    assert "fanzha audit adopt" in str(result.exception)
