"""`python -m fanzha_loadtest.run`: both engines against real services, and its exit codes."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.tls import Pki, entry

from fanzha_loadtest.service import Service

ROOT = Path(__file__).parents[2]
LOAD = (sys.executable, "-m", "fanzha_loadtest.run")
LAGGARD = "open_loop: {deadline_ms: 10000, late_share_max: 1.0, lag_ms_max: LAG}"
SHORT = f"""
about: Short.
bank: {{accounts: 200, collecting: 3, mules: 2}}
channels: {{counter: 0.2, atm: 0.2, smart_teller: 0.2, mobile: 0.2, online: 0.2}}
{LAGGARD}
phases: [{{name: steady, seconds: SECONDS, rate: 40, users: USERS}}]
pass: PASS
"""


@dataclass(frozen=True)
class Secured:
    """A service that asks for certificates, and the options by which a client is let in."""

    service: Service
    options: list[str]

    def run(self, profile: Path, *more: object) -> subprocess.CompletedProcess[str]:
        """Play a profile against it."""
        return run(profile, "--address", self.service.address, *self.options, *more)


@pytest.fixture(scope="module")
def secured() -> Iterator[Secured]:
    with tempfile.TemporaryDirectory(prefix="fz-") as name:
        folder = Path(name)
        pki = Pki(folder / "pki")
        pki.roles([entry("core", "scorer")])
        given = pki.options
        options = dict(zip(given[::2], given[1::2], strict=True))
        with Service(
            folder / "data", ROOT / "models", folder / "log", clock="system", options=options
        ) as service:
            yield Secured(service, pki.client_files("core"))


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LOAD, *(str(word) for word in words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def write(
    folder: Path, *, passing: str, users: int = 0, seconds: float = 2, lag_ms: int = 60_000
) -> Path:
    text = SHORT.replace("PASS", passing).replace("USERS", str(users))
    text = text.replace("SECONDS", str(seconds)).replace("LAG", str(lag_ms))
    file = folder / "short.yaml"
    file.write_text(text, "utf-8")
    return file


def last_line(done: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(done.stdout.splitlines()[-1])


def test_the_smoke_profile_passes_on_a_service_of_its_own(tmp_path: Path) -> None:
    report = tmp_path / "load.html"

    done = run("smoke", "--json", "--report", report)

    assert done.returncode == 0, done.stderr
    said = last_line(done)
    assert said["exit"] == "passed"
    assert all(line["passed"] for line in said["pass_lines"])
    counted, users = said["all"], said["users"]
    assert counted["answered"] > 200
    assert counted["decisions"].keys() == {"atm", "counter", "mobile", "online", "smart_teller"}
    assert counted["frauds"] > 0
    assert counted["repeated"] > 0
    assert counted["taken"] == counted["sent"] > counted["answered"] / 2
    assert said["phases"].keys() == {"warm-up", "ordinary", "wave"}
    assert users["tasks"] == sum(users["by_channel"].values()) >= 5
    assert users["executions"] > 0
    assert users["paid"] + users["given_up"] + users["held"] + users["failed"] == users["tasks"]
    page = report.read_text("utf-8")
    assert page.count("data:image/png;base64,") == 3
    assert "closed loop" in page
    assert "src='http" not in page


def test_a_line_that_cannot_be_kept_fails_and_users_pass_with_certificates(
    secured: Secured, tmp_path: Path
) -> None:
    lines = (
        "{p50_ms_max: 0.001, users_error_share_max: 0.0, users_tasks_min: 1, found_share_min: 1}"
    )
    profile = write(tmp_path, passing=lines, users=5, seconds=3)

    done = secured.run(profile, "--json")

    assert done.returncode == 1, done.stderr
    said = last_line(done)
    kept = {line["line"]: line["passed"] for line in said["pass_lines"]}
    assert said["exit"] == "failed"
    assert kept == {
        "all: p50_ms_max": False,
        "all: found_share_min": True,
        "all: users_error_share_max": True,
        "all: users_tasks_min": True,
    }


def test_a_driver_that_stood_still_voids_the_run(secured: Secured, tmp_path: Path) -> None:
    profile = write(tmp_path, passing="{answered_share_min: 0.1}", seconds=4, lag_ms=1_000)
    words = [profile, "--address", secured.service.address, *secured.options, "--json"]
    with subprocess.Popen(
        [*LOAD, *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as load:
        assert load.stdout is not None
        assert load.stderr is not None
        for line in load.stderr:
            if "steady" in line:
                break
        time.sleep(0.5)
        os.kill(load.pid, signal.SIGSTOP)
        time.sleep(1.5)
        os.kill(load.pid, signal.SIGCONT)
        said, told = load.stdout.read(), load.stderr.read()
        code = load.wait(timeout=60)

    assert code == 2
    assert "VOID" in told
    result = json.loads(said.splitlines()[-1])
    assert result["exit"] == "void"
    assert result["driver_lagged_in"] == ["steady"]
    assert result["all"]["driver"]["lag_max_ms"] > 1_000
    # The line itself was kept; that does not save the run.
    assert [line["passed"] for line in result["pass_lines"]] == [True]


@pytest.mark.parametrize(
    ("profile", "options", "said"),
    [
        ("nowhere", [], "nowhere.yaml: cannot be read"),
        ("smoke", ["--address", "127.0.0.1:1"], "refused"),
        ("smoke", ["--address", "127.0.0.1:1", "--tls-ca", "ca.pem"], "--tls-key"),
        ("smoke", ["--models", "nowhere"], "--models"),
    ],
)
def test_what_cannot_be_played_is_told_and_is_no_failed_line(
    profile: str, options: list[str], said: str
) -> None:
    done = run(profile, "--json", *options)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
