"""`python -m tests.fuzz`: fuzzes the readers of everything that comes from outside.

Coverage-guided (atheris, on libFuzzer), each target in a process of its own. New inputs that reach
new code go into the work folder; `--keep` reduces them and puts them into tests/fuzz/corpus. The
last line is JSON. Exit code 1: an input was found that a target cannot bear; its file is named.
"""

import json
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from tests.fuzz.seeds import ROOT, seeds
from tests.fuzz.targets import TARGETS

CORPUS = ROOT / "tests/fuzz/corpus"
WORK = ROOT / "build/fuzz"
_DONE = re.compile(r"#(\d+)\s+DONE\s+cov: (\d+) ft: (\d+) corp: (\d+)/")
_LAST = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
_BYTES_MAX = 65_536
_MEMORY_MIB = 2_048
_HANG_S = 20


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """What one target bore."""

    target: str
    runs: int
    seed: int
    seconds: float
    coverage: int
    """Branches of the code under test that were reached."""
    corpus: int
    """Inputs that each reach something of their own."""
    finding: str
    """File of an input that the target cannot bear, empty for none."""


def fuzz(target: str, runs: int, seed: int, work: Path) -> Fuzzed:
    """Fuzz one target in a process of its own."""
    folder = work / target
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed_input in enumerate(seeds()[target]):
        (folder / f"seed-{number}").write_bytes(seed_input)
    kept = CORPUS / target
    kept.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.one", target, str(folder), str(kept), f"-runs={runs}",
         f"-seed={seed}", f"-max_len={_BYTES_MAX}", f"-rss_limit_mb={_MEMORY_MIB}",
         f"-timeout={_HANG_S}", f"-artifact_prefix={work}/{target}-", "-print_final_stats=1"],
        capture_output=True, text=True, errors="replace", cwd=ROOT, check=False,
    )  # fmt: skip
    (work / f"{target}.log").write_text(done.stderr)
    summary, count = _DONE.search(done.stderr), _LAST.search(done.stderr)
    finding = re.search(r"Test unit written to (\S+)", done.stderr)
    if done.returncode and finding is None:
        raise RuntimeError(f"{target} did not run:\n{done.stderr[-3000:]}")
    return Fuzzed(
        target,
        int(count[1]) if count else 0,
        seed,
        round(time.monotonic() - began, 1),
        int(summary[2]) if summary else 0,
        int(summary[4]) if summary else 0,
        finding[1] if finding else "",
    )


def keep(target: str, work: Path) -> int:
    """Put the small ones of what was found into the repository; return how many inputs it is.

    libFuzzer's work folder holds an input for each branch that one reached first.
    """
    found = [file for file in (work / target).iterdir() if not file.name.startswith("seed-")]
    found += [file for file in (CORPUS / target).iterdir() if file.name != ".keep"]
    small = sorted(found, key=lambda file: file.stat().st_size)[:_KEPT_MAX]
    contents = {file.name: file.read_bytes() for file in small if file.stat().st_size < _SMALL}
    for old in (CORPUS / target).iterdir():
        old.unlink()
    (CORPUS / target / ".keep").touch()
    for name, content in contents.items():
        (CORPUS / target / name).write_bytes(content)
    return len(contents)


_SMALL = 8_192
_KEPT_MAX = 60


def main(
    runs: Annotated[int, typer.Option(min=1, help="Inputs for each target.")] = 20_000,
    seed: Annotated[int, typer.Option(min=1, help="Of the random stream.")] = 1,
    only: Annotated[list[str] | None, typer.Option(help="Target; several may be named.")] = None,
    work: Annotated[Path, typer.Option(help="Folder for new inputs and logs.")] = WORK,
    keep_inputs: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--keep", help="Reduce what was found into tests/fuzz/corpus.")
    ] = False,
) -> None:
    """Fuzz all targets, or some; the last line is JSON."""
    console = Console(stderr=True)
    work.mkdir(parents=True, exist_ok=True)
    results = []
    for target in only or TARGETS:
        with console.status(f"fuzzing {target}"):
            results.append(fuzz(target, runs, seed, work.resolve()))
        if keep_inputs:
            keep(target, work.resolve())
    table = Table("target", "inputs", "branches", "corpus", "a second", "finding")
    for each in results:
        rate = each.runs / max(each.seconds, 0.1)
        table.add_row(
            each.target, f"{each.runs:,}", f"{each.coverage:,}", f"{each.corpus:,}", f"{rate:,.0f}",
            each.finding or "none",
        )  # fmt: skip
    console.print(table)
    typer.echo(json.dumps({"targets": [asdict(each) for each in results]}))
    sys.exit(1 if any(each.finding for each in results) else 0)


if __name__ == "__main__":
    typer.run(main)
