"""What the system's files say about cores and limits."""

from pathlib import Path

import pytest

from fanzha.workers.machine import groups_of, quota_of, this_machine


def own(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "cgroup-of-the-process"
    file.write_text(text)
    return file


def test_this_machine_has_cores_each_in_one_group() -> None:
    machine = this_machine()

    assert machine.cores
    assert sorted(core for group in machine.groups for core in group) == sorted(machine.cores)


def test_threads_of_one_physical_core_stand_together(tmp_path: Path) -> None:
    for core, siblings in enumerate(("0,2", "1,3", "0,2", "1,3")):
        folder = tmp_path / f"cpu{core}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{siblings}\n")

    assert groups_of({0, 1, 2, 3}, tmp_path) == ((0, 2), (1, 3))
    assert groups_of({1, 2, 3}, tmp_path) == ((1, 3), (2,))


def test_cores_of_which_nothing_is_said_stand_alone(tmp_path: Path) -> None:
    assert groups_of({4, 5}, tmp_path) == ((4,), (5,))


@pytest.mark.parametrize(
    ("limit", "quota"), [("max 100000", None), ("150000 100000", 1.5), ("50000 100000", 0.5)]
)
def test_version_2(tmp_path: Path, limit: str, quota: float | None) -> None:
    (tmp_path / "pod" / "app").mkdir(parents=True)
    (tmp_path / "pod" / "app" / "cpu.max").write_text(f"{limit}\n")

    assert quota_of(own(tmp_path, "0::/pod/app\n"), tmp_path) == quota


def test_the_tightest_limit_above_counts(tmp_path: Path) -> None:
    (tmp_path / "pod" / "app").mkdir(parents=True)
    (tmp_path / "pod" / "cpu.max").write_text("100000 100000")
    (tmp_path / "pod" / "app" / "cpu.max").write_text("300000 100000")

    assert quota_of(own(tmp_path, "0::/pod/app\n"), tmp_path) == 1.0


def test_a_container_sees_its_own_group_as_the_root(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("200000 100000\n")

    assert quota_of(own(tmp_path, "0::/\n"), tmp_path) == 2.0
    assert quota_of(own(tmp_path, "0::/../../elsewhere\n"), tmp_path) == 2.0


@pytest.mark.parametrize(("limit", "quota"), [("-1", None), ("250000", 2.5)])
def test_version_1(tmp_path: Path, limit: str, quota: float | None) -> None:
    folder = tmp_path / "cpu" / "docker" / "abc"
    folder.mkdir(parents=True)
    (folder / "cpu.cfs_quota_us").write_text(f"{limit}\n")
    (folder / "cpu.cfs_period_us").write_text("100000\n")
    lines = "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n0::/\n"

    assert quota_of(own(tmp_path, lines), tmp_path) == quota


def test_no_groups_no_limit(tmp_path: Path) -> None:
    assert quota_of(tmp_path / "not there", tmp_path) is None
