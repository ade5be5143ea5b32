"""`python -m fanzha_loadtest.demo`: the whole way, from a simulated world to a checked archive."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEMO = (sys.executable, "-m", "fanzha_loadtest.demo", "--fast")


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A short place for the demo's own temporary folder."""
    with tempfile.TemporaryDirectory(prefix="fz-") as folder:
        yield Path(folder)


def environment(temporary: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(temporary)}


def left_in(temporary: Path) -> list[str]:
    """Names of what the demo left; ONNX Runtime leaves a file `.ses` wherever it runs."""
    return [entry.name for entry in temporary.iterdir() if entry.name != ".ses"]


def commands_that_name(folder: Path) -> list[str]:
    """Command lines of running processes with the folder in them."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command:
            found.append(command)
    return found


def test_a_small_demo_serves_retrains_and_loses_nothing(temporary: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [*DEMO, "--out", tmp_path, "--models", ROOT / "models",
         "--customers", "100", "--days", "14", "--fraud-per-million", "40000"],
        env=environment(temporary),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    decisions = summary["decisions"]
    assert sum(decisions.values()) == summary["transfers"] > 2_000
    assert decisions.keys() == {"allow", "confirm", "pause", "block"}
    assert summary["lost_records"] == 0
    assert summary["journal_records"] == summary["archive_rows"] > 2 * summary["transfers"]
    assert summary["outcomes_recorded"] > 0
    assert summary["vector_differences"] == 0
    assert summary["degraded"] == {}
    assert 0 < summary["latency_ms"]["p50"] <= summary["latency_ms"]["p99"]
    retrained, before = summary["retrained_model_version"], next(iter(summary["answers_by_model"]))
    assert summary["active_model_version"] == (retrained if summary["gate_passed"] else before)
    report = (tmp_path / "index.html").read_text("utf-8")
    assert report.count("data:image/png;base64,") == 4
    assert "src='http" not in report
    assert left_in(temporary) == []
    assert commands_that_name(temporary) == []


def test_an_interrupted_demo_stops_all_that_it_started(temporary: Path, tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [*DEMO, "--out", tmp_path, "--models", ROOT / "models", "--customers", "100"],
        env=environment(temporary),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert demo.stderr is not None
    with demo.stderr as lines:
        for line in lines:
            if "start service" in line:
                break
        assert commands_that_name(temporary)
        demo.send_signal(signal.SIGINT)
        rest = lines.read()

    assert demo.wait(timeout=60) == 130
    assert "stopped" in rest
    assert left_in(temporary) == []
    assert commands_that_name(temporary) == []
    assert not (tmp_path / "index.html").exists()


@pytest.mark.parametrize(("option", "value"), [("--models", "nowhere"), ("--out", "a_file/folder")])
def test_a_demo_that_cannot_start_says_which_option_helps(
    option: str, value: str, temporary: Path, tmp_path: Path
) -> None:
    (tmp_path / "a_file").touch()
    given = {"--out": tmp_path, "--models": ROOT / "models", option: tmp_path / value}

    done = subprocess.run(
        [*DEMO, *(str(word) for pair in given.items() for word in pair)],
        env=environment(temporary),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert option in done.stderr
    assert done.stdout == ""
