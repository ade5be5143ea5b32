"""What an archive rests on is on the disk before anything rests on it: folders, and its key."""

import os
from pathlib import Path

import pytest
from tests.journals import Journals

from fanzha.adapters.redis_link import RedisLink
from fanzha.archive.drain import drain
from fanzha.archive.machine_key import signer_for, trusted_folder
from fanzha.domain.errors import SetupError
from fanzha.signing.keys import read_trusted


def test_the_names_of_new_folders_are_on_the_disk_before_redis_is_trimmed(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "deep" / "archive"
    synced: list[str] = []
    link, fsync = os.link, os.fsync

    def noted(handle: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        fsync(handle)

    def committed(source: str, target: Path) -> None:
        synced.append(f"commit {target.name}")
        link(source, target)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(os, "link", committed)
    Journals(redis_url).add(20)
    drain(RedisLink(redis_url, 5_000), place, lambda _: None)

    before = synced[: synced.index("commit 000000000001.json")]
    for folder in (tmp_path, tmp_path / "deep", place, *place.glob("day=*")):
        assert str(folder) in before, folder


@pytest.mark.parametrize("renamed", [0, 1])
def test_a_key_whose_maker_was_killed_is_made_or_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renamed: int
) -> None:
    place, rename, done = tmp_path / "archive", Path.rename, []

    def killed(path: Path, target: Path) -> Path:
        if len(done) == renamed:
            raise KeyboardInterrupt
        done.append(target)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        signer_for(place, None, None)
    monkeypatch.undo()

    signer = signer_for(place, None, None)

    read_trusted(trusted_folder(place, None)).signer(signer.name, signer.key, 1)
    assert signer_for(place, None, None).key == signer.key


def test_a_key_that_is_gone_is_not_replaced_by_the_way(tmp_path: Path) -> None:
    place = tmp_path / "archive"
    signer_for(place, None, None)
    public = trusted_folder(place, None) / "archiver.pub"
    content = public.read_bytes()
    (tmp_path / "archive-keys" / "archiver.key").unlink()

    with pytest.raises(SetupError, match="is gone, by which this archive was signed"):
        signer_for(place, None, None)

    assert public.read_bytes() == content


def test_a_key_that_is_in_use_is_never_made_again(tmp_path: Path) -> None:
    place = tmp_path / "archive"
    signer = signer_for(place, None, None)
    # Its public key was moved to those who audit.
    (trusted_folder(place, None) / "archiver.pub").unlink()

    assert signer_for(place, None, None).key == signer.key
