"""Every story twice: through the pipeline with fakes, and over gRPC against a real service."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import Service
from tests.scenarios import with_fakes
from tests.scenarios.expectations import differences
from tests.scenarios.over_grpc import Bank
from tests.scenarios.staging import Staging
from tests.scenarios.story import load_story

from fanzha.domain.errors import FileRefusedError

FOLDER = Path(__file__).parent
STORIES = sorted(FOLDER.glob("*.yaml"))
FAULTY = sorted((FOLDER / "faulty").glob("*.yaml"))


def stem_of(path: Path) -> str:
    return path.stem


def over_grpc() -> list[Path]:
    """Return the stories that a real service can play; faulty ones fail there by name."""
    paths = []
    for path in STORIES:
        try:
            needs_fakes = load_story(path).needs_fakes
        except FileRefusedError:
            needs_fakes = False
        if not needs_fakes:
            paths.append(path)
    return paths


@pytest.fixture(scope="module")
def bank() -> Iterator[Bank]:
    """One service for all stories; its clock follows them."""
    with tempfile.TemporaryDirectory(prefix="fz-") as folder:
        service = Service(Path(folder), "--clock", "event")
        bank = Bank(service)
        yield bank
        bank.close()
        service.stop()


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    """Places in time; each story comes after those before it."""
    return itertools.count(1)


@pytest.mark.parametrize("path", STORIES, ids=stem_of)
def test_a_story_ends_as_told_with_fakes(path: Path) -> None:
    story = load_story(path)

    answer = with_fakes.play(Staging(story, number=0))

    assert differences(story.then, answer) == [], path.name


@pytest.mark.parametrize("path", over_grpc(), ids=stem_of)
def test_a_story_ends_as_told_over_grpc(path: Path, bank: Bank, numbers: Iterator[int]) -> None:
    story = load_story(path)

    answer = bank.play(Staging(story, next(numbers)))

    assert differences(story.then, answer) == [], path.name


def test_the_example_for_analysts_ends_as_told(tmp_path: Path) -> None:
    example = (FOLDER / "README.md").read_text("utf-8").split("```yaml\n")[1].split("```")[0]
    path = tmp_path / "example.yaml"
    path.write_text(example, "utf-8")

    story = load_story(path)

    assert differences(story.then, with_fakes.play(Staging(story, number=0))) == []


@pytest.mark.parametrize("path", FAULTY, ids=stem_of)
def test_faults_of_a_story_name_the_file_and_the_line(path: Path) -> None:
    refused = [
        line.removeprefix("# refused: ")
        for line in path.read_text("utf-8").splitlines()
        if line.startswith("# refused: ")
    ]

    with pytest.raises(FileRefusedError) as refusal:
        load_story(path)

    assert list(refusal.value.faults) == refused
    assert str(path) in str(refusal.value)
