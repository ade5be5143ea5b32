"""Light dataclasses: to all eyes but the run time's, frozen ones."""

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest

from fanzha.domain.light import light_dataclass
from fanzha.domain.scored import Scored

ROOT = Path(__file__).parents[3]
ASSIGNS = """
from dataclasses import replace
from fanzha.domain.scored import Scored

scored = Scored(b"", b"", None)
replace(scored, facts=b"more")
scored.facts = b"other"
"""


@light_dataclass(frozen=True, slots=True)
class Light:
    name: str
    times: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Frozen:
    name: str
    times: tuple[int, ...] = ()


def test_equal_ones_are_one_member_of_a_set() -> None:
    assert {Light("a", (1,)), Light("a", (1,)), Light("b")} == {Light("b"), Light("a", (1,))}
    assert hash(Light("a", (1,))) == hash(Frozen("a", (1,)))
    assert Light("a") != Frozen("a")  # type: ignore[comparison-overlap]


def test_a_changed_one_is_another_one() -> None:
    first = Light("a")

    assert replace(first, name="b") == Light("b")
    assert first == Light("a")


def test_there_is_no_room_for_other_fields() -> None:
    with pytest.raises(AttributeError):
        Light("a").other = 1  # type: ignore[attr-defined]


def test_the_bytes_of_a_record_are_the_same() -> None:
    body = msgspec.msgpack.encode(Frozen("a", (1, 2)))

    assert msgspec.msgpack.encode(Light("a", (1, 2))) == body
    assert msgspec.msgpack.decode(body, type=Light) == Light("a", (1, 2))


def test_the_type_checker_refuses_to_assign(tmp_path: Path) -> None:
    file = tmp_path / "assigns.py"
    file.write_text(ASSIGNS)

    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert 'Property "facts" defined in "Scored" is read-only' in done.stdout, done.stdout
    assert done.stdout.count("error:") == 1, done.stdout


def test_the_run_time_does_not() -> None:
    scored = Scored(b"", b"", None)

    scored.facts = b"other"  # type: ignore[misc]

    assert scored.facts == b"other"
