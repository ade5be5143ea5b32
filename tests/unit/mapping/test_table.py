"""Files: CSV and Parquet as they come, or one clear error with its remedy."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fanzha.domain.errors import SetupError
from fanzha.mapping.table import TableFile, plain


def a_file(folder: Path, content: bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@dataclass
class Read:
    columns: pa.Table
    rows: list[int]
    faults: list[tuple[int, str]]
    file: TableFile


def read(path: Path, *names: str, encoding: Any = "auto") -> Read:
    file = TableFile(path, encoding)
    batches = list(file.batches(names))
    return Read(
        pa.Table.from_batches([batch.columns for batch in batches]),
        [row for batch in batches for row in batch.rows.tolist()],
        [(fault.row, fault.text) for fault in file.faults.first],
        file,
    )


def test_a_csv_is_read_as_text_with_any_column_names(tmp_path: Path) -> None:
    path = a_file(tmp_path, '\ufeff账号,b,金额\n007,"x\ny",1.10\n,,2\n'.encode())

    table = read(path, "账号", "金额", "b")

    assert table.columns.to_pylist() == [
        {"账号": "007", "b": "x\ny", "金额": "1.10"},
        {"账号": None, "b": None, "金额": "2"},
    ]
    assert table.rows == [1, 2]


def test_rows_of_another_length_are_named_by_number_and_left_out(tmp_path: Path) -> None:
    path = a_file(tmp_path, b"a,b\n1,2\n3\n5,6\n7,8,9\n10,11\n")

    table = read(path, "a")

    assert table.columns["a"].to_pylist() == ["1", "5", "10"]
    assert table.rows == [1, 3, 5]
    assert table.faults == [
        (2, "has 1 fields, the header has 2"),
        (4, "has 3 fields, the header has 2"),
    ]


def test_only_the_columns_asked_for_are_read(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"a": [1, 2], "b": ["x", "y"], "c": [0.5, None]}), path)

    table = read(path, "c", "a")

    assert table.columns.to_pydict() == {"a": [1, 2], "c": [0.5, None]}


def test_parquet_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "export.dat"
    pq.write_table(pa.table({"a": [1]}), path)

    assert read(path, "a").columns.to_pydict() == {"a": [1]}


@pytest.mark.parametrize("kept", [0.3, 0.7, 0.99])
def test_a_parquet_file_that_was_cut_off_is_refused(tmp_path: Path, kept: float) -> None:
    whole = tmp_path / "whole.parquet"
    pq.write_table(pa.table({"a": list(range(10_000))}), whole)
    content = whole.read_bytes()
    path = a_file(tmp_path, content[: int(len(content) * kept)], "cut.parquet")

    with pytest.raises(SetupError, match=r"cut\.parquet cannot be read as Parquet.*again"):
        TableFile(path)


def test_a_parquet_file_damaged_inside_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "torn.parquet"
    pq.write_table(pa.table({"a": list(range(10_000))}), path, compression="zstd")
    content = bytearray(path.read_bytes())
    content[4:40] = bytes(36)
    path.write_bytes(content)

    with pytest.raises(SetupError, match="cut off, damaged"):
        read(path, "a")


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"", "t.csv", "is empty"),
        (b"a,b\n1,2\n", "t.parquet", "cannot be read as Parquet"),
        (b"a,b\n", "t.csv", "has no rows"),
        (b"\n\n", "t.csv", "does not begin with a header"),
        (b"\xff\xff,b\n1,2\n", "t.csv", "neither Parquet nor CSV with a header: its header"),
    ],
)
def test_a_file_of_another_form_is_refused(
    tmp_path: Path, content: bytes, name: str, message: str
) -> None:
    path = a_file(tmp_path, content, name)

    with pytest.raises(SetupError, match=message):
        read(path, "a")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"cannot read .*No such file"):
        TableFile(tmp_path / "nowhere.csv")


def test_an_error_never_shows_the_row(tmp_path: Path) -> None:
    path = a_file(tmp_path, b"account,b\n" * 9_999 + b"6222020200112233445\xff,2\n")

    table = read(path, "account")

    assert table.faults == [(9_999, "is in neither UTF-8 nor GB18030")]


def test_narrow_floats_keep_the_digits_they_were_written_with() -> None:
    narrow = pa.record_batch({"a": pa.array([12.34, 57.16, None], pa.float32())})

    assert plain(narrow).column("a").to_pylist() == ["12.34", "57.16", None]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"1,2026-03-02 08:05:23,6222020200100000015\n", "begins with data, not with a header"),
        (b"ts;type;amt\n1;2;3\n", "one cell that holds ';'"),
        (b"PK\x03\x04rest", "Excel or ZIP"),
    ],
)
def test_what_is_no_table_of_commas_is_told_without_showing_it(
    tmp_path: Path, content: bytes, message: str
) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(content)

    with pytest.raises(SetupError, match=message) as refused:
        TableFile(file)

    assert "6222020200100000015" not in str(refused.value)


def test_a_pipe_or_a_folder_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(SetupError, match="save the table as a file"):
            TableFile(path)
