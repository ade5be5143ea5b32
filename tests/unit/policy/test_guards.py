"""Every fault of a file is reported at once, with its line and column.

A bad file is named for its mistake and ends with the faults that it is refused for.
"""

from pathlib import Path

import pytest

from fanzha.domain.errors import FileRefusedError
from fanzha.policy.load import load_policy
from fanzha.policy.prompts import load_prompts

BAD_FILES = sorted((Path(__file__).parents[2] / "policies").glob("*.yaml"))
_MARK = "# refused: "


def expected_faults(path: Path) -> tuple[str, ...]:
    lines = path.read_text().splitlines()
    return tuple(line.removeprefix(_MARK) for line in lines if line.startswith(_MARK))


@pytest.mark.parametrize("path", BAD_FILES, ids=lambda path: path.stem)
def test_a_bad_file_is_refused_for_all_its_faults(path: Path) -> None:
    load = load_prompts if path.name.startswith("prompts_") else load_policy

    with pytest.raises(FileRefusedError) as refusal:
        load(path)

    assert expected_faults(path)
    assert refusal.value.faults == expected_faults(path)
