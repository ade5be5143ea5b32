"""A CSV in any usual encoding; rows in another one are repaired and counted, or named."""

from pathlib import Path
from typing import Any

import pytest

from fanzha.domain.errors import SetupError
from fanzha.mapping import encoding
from fanzha.mapping.encoding import Transcoder
from fanzha.mapping.faults import RowFault
from fanzha.mapping.table import TableFile

ROWS = ["账号,备注", *(f"{number},付款给张三{number}" for number in range(1, 6))]


@pytest.fixture(autouse=True, params=[16, 4 * 2**20])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small blocks cut the file everywhere."""
    monkeypatch.setattr(encoding, "_BLOCK_BYTES", request.param)


def a_file(folder: Path, lines: list[bytes], end: bytes = b"\n") -> Path:
    path = folder / "t.csv"
    path.write_bytes(end.join(lines))
    return path


def read(path: Path, asked: Any = "auto") -> tuple[list[str], list[int], TableFile]:
    file = TableFile(path, asked)
    batches = list(file.batches(["备注"]))
    texts = [text for batch in batches for text in batch.columns.column(0).to_pylist()]
    return texts, [row for batch in batches for row in batch.rows.tolist()], file


@pytest.mark.parametrize(
    ("codec", "asked", "stated"),
    [
        ("utf-8", "auto", "utf-8"), ("utf-8-sig", "auto", "utf-8"), ("gbk", "auto", "gb18030"),
        ("gb18030", "gb18030", "gb18030"), ("gbk", "gbk", "gb18030"), ("utf-16", "auto", "utf-16"),
        ("utf-16", "utf-16", "utf-16"), ("utf-8", "utf-8", "utf-8"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_of_one_encoding(
    tmp_path: Path, codec: str, asked: str, stated: str, end: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(end.join(ROWS).encode(codec))

    texts, rows, file = read(path, asked)

    assert texts == [line.split(",")[1] for line in ROWS[1:]]
    assert rows == [1, 2, 3, 4, 5]
    assert file.encoding == stated
    assert file.repaired == {}


@pytest.mark.parametrize(("codec", "other"), [("utf-8", "gb18030"), ("gb18030", "utf-8")])
def test_rows_of_the_other_encoding_are_repaired_and_counted(
    tmp_path: Path, codec: str, other: str
) -> None:
    lines = [line.encode(other if number in (2, 5) else codec) for number, line in enumerate(ROWS)]

    texts, _, file = read(a_file(tmp_path, lines))

    assert texts == [line.split(",")[1] for line in ROWS[1:]]
    assert file.repaired == {"rows_of_another_encoding": 2}
    assert file.encoding == codec


def test_rows_in_no_encoding_are_named(tmp_path: Path) -> None:
    lines = [line.encode() for line in ROWS]
    lines[3] = b"3,\xff\xff"
    # A row of two lines, and an empty line, which is no row.
    lines[1] = '1,"付款给\n\n张三"'.encode()
    lines.insert(2, b"")

    texts, rows, file = read(a_file(tmp_path, lines))

    assert rows == [1, 2, 4, 5]
    assert texts[0] == "付款给\n\n张三"
    (fault,) = file.faults.first
    assert fault == RowFault(3, "is in neither UTF-8 nor GB18030")
    assert file.unreadable == 1


def test_rows_are_counted_as_the_table_counts_them(tmp_path: Path) -> None:
    lines = ["a,b", '1,"x"', '2,"y\n,""z"""', "", "3,中"]
    with Transcoder(a_file(tmp_path, [line.encode() for line in lines]), "auto") as source:
        source.read()

        # The header is row 0; the last line has no end.
        assert source._row == 3


def test_a_cut_off_utf_16_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("\n".join(ROWS).encode("utf-16")[:-1])

    with pytest.raises(SetupError, match="cannot be read as CSV"):
        read(path)
