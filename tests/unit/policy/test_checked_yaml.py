"""Files that people write: every fault at once, each at its line and column."""

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from fanzha.checked_yaml import FILE_BYTES_MAX, load_checked, read_document
from fanzha.domain.errors import FileRefusedError
from fanzha.domain.vocabulary import Channel
from fanzha.file_shape import IsoDate, Shape, named


class Line(Shape):
    amount: int = Field(ge=1, description="minor units")
    channel: Annotated[Channel, named(Channel)]
    day: IsoDate | None = None


class Book(Shape):
    title: str
    lines: list[Line]
    named_lines: dict[str, Line] = Field(default={}, alias="named-lines")


def written(folder: Path, text: str) -> Path:
    path = folder / "book.yaml"
    path.write_text(text)
    return path


def faults_of(folder: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(FileRefusedError) as refusal:
        load_checked(written(folder, text), Book)
    return refusal.value.faults


def test_a_sound_file_becomes_its_model(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "title: off\nlines: [{amount: 5, channel: ATM, day: 2026-11-22}]\n"
        "named-lines: {first: {amount: 6, channel: COUNTER}}\n",
    )

    book = load_checked(path, Book)

    assert book.title == "off"
    assert book.lines[0].channel is Channel.ATM
    assert book.named_lines["first"].amount == 6


def test_all_faults_of_shape_are_named_at_once(tmp_path: Path) -> None:
    text = """\
title: 7
lines:
  - {amount: 0, channel: ATN, day: 2026-02-30, colour: red}
  - amount: yes
    amount: 2
liness: []
named-lines: {first: 3}
"""

    assert faults_of(tmp_path, text) == (
        "1:8: title: input should be a valid string, not 7",
        "3:14: lines.0.amount: input should be greater than or equal to 1, not 0 (minor units)",
        (
            "3:26: lines.0.channel must be one of COUNTER, ATM, SMART_TELLER, MOBILE, ONLINE, "
            "not 'ATN'"
        ),
        "3:36: lines.0.day day is out of range for month, not '2026-02-30'",
        "3:48: lines.0.colour is not a known key; known keys: amount, channel, day",
        "4:5: lines.1.channel is missing; add it",
        "4:13: lines.1.amount: input should be a valid integer, not 'yes' (minor units)",
        "5:5: key amount is there twice; keep one",
        "6:1: liness is not a known key; did you mean lines?",
        "7:22: named-lines.first must be a block of keys, not 3",
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("title: 'a\n", "2:1: while scanning a quoted scalar, found unexpected end of stream"),
        ("title: &a b\nlines: *a\n", "2:8: aliases are not read; write the value out"),
        (
            "title: a\n---\ntitle: b\n",
            "2:1: expected a single document in the stream, but found another document",
        ),
        ("- 1\n", "1:1: the file must be a block of keys, not [1]"),
        ("", "1:1: the file must be a block of keys, not None"),
        ("[" * 5000, "1:1: is nested too deeply; nothing here needs more than ten levels"),
    ],
)
def test_what_is_not_plain_yaml_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    assert faults_of(tmp_path, text) == (fault,)


def test_tags_are_not_followed(tmp_path: Path) -> None:
    faults = faults_of(tmp_path, "title: !!python/object:os.system x\nlines: []\n")

    assert faults[0].startswith("1:8: tag tag:yaml.org,2002:python/object:os.system is not read")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileRefusedError) as refusal:
        read_document(tmp_path / "none.yaml")

    assert refusal.value.faults == (
        "1:1: cannot be read (No such file or directory); name a readable YAML file",
    )


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileRefusedError, match="Is a directory"):
        read_document(tmp_path)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"title: \xff", "is not UTF-8 text"),
        (b"title: \x00", "is not YAML"),
        (b"#" * (FILE_BYTES_MAX + 1), "is larger than"),
    ],
)
def test_files_of_another_kind_are_refused(tmp_path: Path, content: bytes, cause: str) -> None:
    path = tmp_path / "book.yaml"
    path.write_bytes(content)

    with pytest.raises(FileRefusedError, match=cause):
        load_checked(path, Book)


def test_a_caller_adds_faults_at_a_place(tmp_path: Path) -> None:
    document = read_document(written(tmp_path, "title: a\nlines:\n  - amount: 'x > 1'\n"))

    document.fault(("lines", 0, "amount"), "is odd", shift=2)
    document.fault(("lines", 0, "amount"), "is a key", on_key=True)
    document.fault(("lines", 7, "amount"), "is not there")
    with pytest.raises(FileRefusedError) as refusal:
        document.refuse_if_faulty()

    assert refusal.value.faults == (
        "3:3: is not there",
        "3:5: is a key",
        "3:16: is odd",
    )
