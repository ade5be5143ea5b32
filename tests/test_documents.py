"""Every command that README and docs show is really run, as it stands there.

A fenced block without a language, or of `sh`, holds commands; `python` a program; any other
language (such as `text`) is no command. They run from top to bottom in a folder that looks like a
clone: only the port and the data folder are replaced, and the files that a reader would bring lie
ready.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from tests.served_weeks import serve_weeks

from fanzha.policy.load import DEFAULT_POLICY

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOT_RUN = {
    "make demo": "takes minutes; tests/integration/test_demo_command.py plays its fast form",
    "make test": "runs this very test",
    "make chaos": "takes a quarter of an hour; tests/chaos/test_chaos.py plays its short form",
    "make chaos FAULT=redis-frozen": "sets up a machine; tests/chaos/test_chaos.py plays it",
    "make load PROFILE=smoke": "needs make; tests/integration/test_load_profiles.py plays it",
    "make bench": "takes ten minutes; tests/integration/test_bench_serving.py is short",
    "make soak": "takes twenty minutes; tests/integration/test_soak_command.py is short",
    "make soak MINUTES=600 RATE=300": "takes a night",
    "make benchmark-quality": "needs the handbook set; tests/training/test_benchmark.py runs it",
}
ADDRESS = "127.0.0.1:7443"
TWO_ADDRESSES = "127.0.0.1:7443,127.0.0.1:7444"
DATA = "/tmp/fanzha"  # noqa: S108 - as the documents write it
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_READY = "fanzha: serving on "


def block_of(document: Path, language: str) -> str:
    """Return the first block of a language, which a reader saves as a file."""
    return next(
        text for name, text in _BLOCK.findall(document.read_text("utf-8")) if name == language
    )


_FILES = {
    "transfers.csv": "id,when,yuan,from,to\n"
    "1,2026-11-20 09:30:00,120.50,6222-1,6217-1\n"
    "2,2026-11-20 09:31:00,9800,6222-2,6217-1\n",
    "mapping.yaml": "columns:\n"
    "  request_id: {column: id, prefix: r-}\n"
    "  transfer_id: {column: id, prefix: t-}\n"
    "  time: {column: when, format: '%Y-%m-%d %H:%M:%S', zone: Asia/Shanghai}\n"
    "  kind: {constant: transfer}\n"
    "  channel: {constant: mobile}\n"
    "  amount: {column: yuan, unit: yuan}\n"
    "  payer_account: {column: from}\n"
    "  payee_account: {column: to}\n"
    "execution: posted\n",
    "policy.yaml": DEFAULT_POLICY.read_text(),
    "service_config.json": block_of(ROOT / "docs" / "operations" / "workers.md", "json"),
    "entries.csv": "kind,identifier,grade,source,case_number,legal_basis,valid_from,valid_until\n"
    "account,6217-9,involved,police,A-1,反电信网络诈骗法第二十条,,2099-01-01T00:00:00+08:00\n",
}


@dataclass(frozen=True)
class Command:
    """One command or program of a document."""

    document: Path
    text: str
    is_python: bool = False

    @property
    def reason_not_to_run(self) -> str:
        """Why the test leaves it out; empty when it is run."""
        return NOT_RUN.get(self.text, "")


def commands_of(document: Path) -> Iterator[Command]:
    for block in _BLOCK.finditer(document.read_text("utf-8")):
        language, text = block.groups()
        if language == "python":
            yield Command(document, text, is_python=True)
        elif language in ("", "sh"):
            for line in text.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words:
                    yield Command(document, shlex.join(words))


COMMANDS = [command for document in DOCUMENTS for command in commands_of(document)]


@dataclass
class Clone:
    """A folder that looks like a fresh clone, and the service that was started in it."""

    folder: Path
    address: str = ""
    service: subprocess.Popen[str] | None = None
    ran: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / ".venv").symlink_to(sys.prefix)
        shutil.copytree(ROOT / "models", self.folder / "models")
        for name, text in _FILES.items():
            (self.folder / name).write_text(text, "utf-8")

    def run(self, command: Command) -> None:
        """Run a command as a reader would; what serves goes on until `close`."""
        text = command.text.replace(DATA, str(self.folder / "data"))
        if self.address:
            text = text.replace(TWO_ADDRESSES, self.address)
            text = text.replace(ADDRESS, self.address.partition(",")[0])
        words = [sys.executable, "-c", text] if command.is_python else shlex.split(text)
        self.ran.append(command.text)
        if words[1:2] == ["serve"]:
            self._serve(words)
            return
        done = subprocess.run(
            words, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{command.document.name}: {command.text}\n{done.stderr}"
        assert done.stdout, f"{command.text} says nothing"
        for option, value in pairwise(words):
            if option in ("--out", "--archive"):
                assert (self.folder / value).exists(), f"{command.text} leaves no {value}"

    def _serve(self, words: list[str]) -> None:
        # Any free port; a clock that follows the weeks which the test plays, where one can.
        has_weeks = "--workers" not in words
        given = {"FANZHA_ADDRESS": "127.0.0.1:0"}
        given |= {"FANZHA_CLOCK": "event"} if has_weeks else {}
        with (self.folder / "serve.log").open("w") as log:
            self.service = subprocess.Popen(
                words,
                cwd=self.folder,
                env=os.environ | given,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self.service.stdout is not None
        line = self.service.stdout.readline()
        assert line.startswith(_READY), (self.folder / "serve.log").read_text()
        self.address = line.removeprefix(_READY).split(";")[0]
        if has_weeks:
            serve_weeks(self.address)

    def close(self) -> None:
        """Stop the service."""
        if self.service is not None and self.service.stdout is not None:
            self.service.send_signal(signal.SIGTERM)
            self.service.wait(timeout=90)
            self.service.stdout.close()


@pytest.fixture
def clone() -> Iterator[Clone]:
    with tempfile.TemporaryDirectory(prefix="fz-") as folder:
        clone = Clone(Path(folder))
        yield clone
        clone.close()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_of_a_document_work(document: Path, clone: Clone) -> None:
    commands = [command for command in COMMANDS if command.document == document]

    for command in commands:
        if not command.reason_not_to_run:
            clone.run(command)

    left_out = [command.text for command in commands if command.text not in clone.ran]
    assert set(left_out) <= set(NOT_RUN)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_block_is_overlooked(document: Path) -> None:
    text = document.read_text("utf-8")
    fences = [line for line in text.splitlines() if line.lstrip(" >").startswith(("```", "~~~"))]

    assert len(fences) == 2 * len(_BLOCK.findall(text))


def test_readme_shows_what_this_test_thinks_it_shows() -> None:
    shown = [command.text for command in COMMANDS if command.document == ROOT / "README.md"]

    assert any(command.is_python for command in COMMANDS)
    assert [text.split()[1] for text in shown if text.startswith(".venv/bin/fanzha ")] == [
        "serve", "mapping", "replay-file", "lists", "archive",
    ]  # fmt: skip


def test_commands_left_out_are_still_shown() -> None:
    assert set(NOT_RUN) <= {command.text for command in COMMANDS}
