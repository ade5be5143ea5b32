"""A folder that is named wrongly is told, and never taken for an empty one."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fanzha.__main__ import app
from fanzha.commands.given_folders import segments_left
from fanzha.domain.errors import SetupError

NOWHERE = "unix:///nowhere.sock"


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_a_spool_folder_that_is_not_there_is_no_empty_one(tmp_path: Path) -> None:
    place = tmp_path / "wrong"
    result = run("archive", "--redis", NOWHERE, "--archive", tmp_path / "a", "--spool", place)
    assert isinstance(result.exception, SetupError)
    assert str(result.exception) == (
        f"--spool {place}: there is no such folder; a worker's spool is the folder spool in its "
        "data folder"
    )
    assert list(tmp_path.iterdir()) == []


def test_the_data_folder_is_not_taken_for_its_spool(tmp_path: Path) -> None:
    (tmp_path / "data" / "spool").mkdir(parents=True)
    (tmp_path / "data" / "spool" / "1-1-1.spool").write_bytes(b"")
    with pytest.raises(SetupError, match=r"data: this is no spool.*give .*data/spool"):
        segments_left([tmp_path / "data"])


def test_segments_are_counted(tmp_path: Path) -> None:
    assert segments_left([tmp_path]) == 0
    (tmp_path / "1-1-1.spool").write_bytes(b"")
    (tmp_path / "1-1-1.spool.torn").write_bytes(b"")
    assert segments_left([tmp_path]) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_spool_folder_that_may_not_be_read_is_no_empty_one(tmp_path: Path) -> None:
    place = tmp_path / "closed"
    place.mkdir(mode=0o000)
    with pytest.raises(SetupError, match="Permission denied"):
        segments_left([place])


def test_rekey_does_not_take_a_missing_spool_for_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(bytes(range(32)))
    (tmp_path / "old").chmod(0o600)
    assert run("token-key", "kek", tmp_path / "kek").exit_code == 0
    extend = ("token-key", "extend", tmp_path / "old", "--out", tmp_path / "new")
    assert run(*extend, "--kek-file", tmp_path / "kek").exit_code == 0
    result = run(
        "rekey", "--from", NOWHERE, "--to", NOWHERE, "--archive", tmp_path / "a",
        "--archive-out", tmp_path / "b", "--old-key", tmp_path / "old",
        "--new-key", tmp_path / "new", "--kek-file", tmp_path / "kek",
        "--spool", tmp_path / "wrong",
    )  # fmt: skip
    assert isinstance(result.exception, SetupError)
    assert "there is no such folder" in str(result.exception)


@pytest.mark.parametrize("words", [["verify"], ["head"], ["adopt"], ["close"], ["expire"]])
def test_an_archive_that_is_not_there_is_no_empty_one(tmp_path: Path, words: list[str]) -> None:
    result = run("audit", *words, "--archive", tmp_path / "wrong")
    assert isinstance(result.exception, SetupError)
    assert "there is no such folder" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_an_archive_without_a_commit_has_no_head(tmp_path: Path) -> None:
    result = run("audit", "head", "--archive", tmp_path)
    assert isinstance(result.exception, SetupError)
    assert "has no commit yet" in str(result.exception)


def test_segments_of_all_workers_are_counted(tmp_path: Path) -> None:
    (tmp_path / "worker-2").mkdir()
    (tmp_path / "1-1-1.spool").write_bytes(b"")
    (tmp_path / "worker-2" / "1-2-1.spool").write_bytes(b"")
    assert segments_left([tmp_path]) == 2
