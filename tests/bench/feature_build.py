"""How fast vectors are made of many transfers: the public card set, or a simulated world."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.machine import Spread, pin_to_one_core, seconds_of, spread

ROUNDS = 5


def measure(handbook: Path) -> dict[str, Spread]:
    """Return transfers a second on one core, in a process of its own, after compile.

    `feature_build_transfers_per_s` is from mapped columns to vectors: facts, steps, the kernel.
    `file_reading_transfers_per_s` is from the file through its mapping to those columns.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.feature_build", str(handbook)],
        # Polars counts its threads when it is loaded.
        env=os.environ | {"POLARS_MAX_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def _measure_here(handbook: Path) -> dict[str, Spread]:
    from fanzha_training.building.file_source import read_file  # noqa: PLC0415
    from fanzha_training.building.numbered_transfers import vectors_of  # noqa: PLC0415
    from fanzha_training.building.options import BuildOptions  # noqa: PLC0415 - after pinning

    options = BuildOptions(command="bench")
    reading, building = [], []
    with tempfile.TemporaryDirectory(prefix="fz-") as folder:
        for _ in range(ROUNDS):
            read: list[Any] = []
            reading.append(
                seconds_of(
                    lambda read=read: read.append(
                        read_file(handbook, "handbook", options, _quiet, skip_bad_rows=False)
                    )
                )
            )
            numbered, _ = read[0]
            building.append(
                seconds_of(
                    lambda numbered=numbered: sum(
                        len(vectors) for _, vectors in vectors_of(numbered, 1, Path(folder), _quiet)
                    )
                )
            )
    rows = len(numbered)
    return {
        "feature_build_transfers_per_s": spread([rows / seconds for seconds in building]),
        "file_reading_transfers_per_s": spread([rows / seconds for seconds in reading]),
    }


def _quiet(_stage: str) -> None:
    """Tell nobody."""


if __name__ == "__main__":
    pin_to_one_core()
    print(json.dumps(_measure_here(Path(sys.argv[1]))))  # noqa: T201 - for the caller
