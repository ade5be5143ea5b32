"""Where each worker listens and keeps its spool, and who takes over what others left."""

from pathlib import Path

import pytest

from fanzha.domain.errors import SetupError
from fanzha.workers.place import address_of, spool_of, spools_of, take_over


@pytest.mark.parametrize(
    ("address", "third"),
    [
        ("127.0.0.1:7443", "127.0.0.1:7445"),
        ("[::1]:7443", "[::1]:7445"),
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("unix:/run/fanzha.sock", "unix:/run/fanzha.sock-3"),
    ],
)
def test_addresses_count_up(address: str, third: str) -> None:
    assert address_of(address, 0) == address
    assert address_of(address, 2) == third


def test_ports_end() -> None:
    with pytest.raises(SetupError, match="worker 3 would listen on port 65536"):
        address_of("127.0.0.1:65534", 2)


def test_the_first_workers_spool_is_that_of_a_worker_alone(tmp_path: Path) -> None:
    assert spool_of(tmp_path, 0) == tmp_path
    assert spool_of(tmp_path, 1) == tmp_path / "worker-2"


def spool_with(spool: Path, *names: str) -> None:
    for name in names:
        (spool / name).parent.mkdir(parents=True, exist_ok=True)
        (spool / name).write_text(name)


def test_fewer_workers_leave_nothing_behind(tmp_path: Path) -> None:
    spool_with(tmp_path, "1.spool", "worker-2/2.spool", "worker-3/3.spool", "worker-3/4.spool.torn")

    take_over(tmp_path, 2)

    assert spools_of(tmp_path) == [tmp_path, tmp_path / "worker-2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "1.spool", "3.spool", "4.spool.torn", "worker-2",
    ]  # fmt: skip
    assert (tmp_path / "3.spool").read_text() == "worker-3/3.spool"


def test_one_worker_takes_over_all(tmp_path: Path) -> None:
    spool_with(tmp_path, "worker-2/2.spool", "worker-12/3.spool")

    take_over(tmp_path, 1)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["2.spool", "3.spool"]


def test_as_many_workers_keep_their_own(tmp_path: Path) -> None:
    spool_with(tmp_path, "worker-2/2.spool")

    take_over(tmp_path, 2)

    assert (tmp_path / "worker-2" / "2.spool").exists()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    spool_with(tmp_path, "1.spool", "worker-2/1.spool")

    take_over(tmp_path, 1)

    assert (tmp_path / "1.spool").read_text() == "1.spool"
    assert (tmp_path / "worker-2" / "1.spool").read_text() == "worker-2/1.spool"


def test_a_spool_that_is_not_there_yet(tmp_path: Path) -> None:
    take_over(tmp_path / "spool", 1)

    assert not (tmp_path / "spool").exists()
