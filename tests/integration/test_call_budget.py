"""No step of a decision comes to call more functions than it is allowed, unseen."""

import json
import subprocess
import sys

import pytest
from tests.call_budget import BUDGET, COUNTED_WITH, Calls, Counts, limits

from fanzha.pipeline.validate import Rules, validate

REMEDY = "; look at what was added, or count anew: python -m tests.call_budget, then make reference"


@pytest.fixture(scope="module")
def counted() -> dict[str, Counts]:
    """A worker in a process of its own: what it freezes stays there."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.call_budget"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    counts: dict[str, Counts] = json.loads(done.stdout.splitlines()[-1])
    return counts


@pytest.mark.parametrize("wave", BUDGET)
@pytest.mark.parametrize("step", BUDGET["alone"])
def test_a_step_keeps_its_budget(counted: dict[str, Counts], wave: str, step: str) -> None:
    calls, (least, most) = counted[wave][step], limits(wave, step)

    assert calls <= most, f"{step} calls {calls} functions, not {most}{REMEDY}"
    if sys.version_info[:2] == COUNTED_WITH:
        # A budget that is not used would let the next one in unseen.
        assert calls >= least, f"{step} calls {calls} functions, less than {least}{REMEDY}"


def test_calls_are_counted_where_they_are_made() -> None:
    calls = Calls()

    with calls:
        len(())
        with pytest.raises(AttributeError):
            validate(None, Rules(), 0)  # type: ignore[arg-type]
        len(())

    assert calls.by_step["validate"] == 1
    assert calls.by_step["between"] >= 2
