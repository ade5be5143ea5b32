"""A start in a read-only image compiles nothing."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fanzha.explain import shapley  # noqa: F401 - compiled by now, or when it is imported here
from fanzha.features import fold  # noqa: F401 - the same
from fanzha.features.kernel_cache import KERNEL_CACHE

READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


def kernel(cache: Path, *before: str) -> dict[str, Any]:
    command = [*before, sys.executable, "-m", "fanzha", "kernel", "--json"]
    done = subprocess.run(
        command,
        env=os.environ | {"FANZHA_KERNEL_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture
def warmed(tmp_path: Path) -> Path:
    """A cache as an image would carry it."""
    folder = tmp_path / "kernel"
    shutil.copytree(KERNEL_CACHE.folder, folder / KERNEL_CACHE.folder.name)
    return folder


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a folder read only")
def test_a_warmed_cache_that_is_read_only_is_used_and_left_alone(warmed: Path) -> None:
    files = {path: path.read_bytes() for path in warmed.rglob("*") if path.is_file()}

    found = kernel(warmed, "unshare", "--mount", "sh", "-c", READ_ONLY, str(warmed))

    assert found["compiled_s"] == {}
    entries = ["_compute", "_fold", "_walk", "path_arrays", "shapley_values"]
    assert sorted(found["from_cache"]) == entries
    assert not Path(found["folder"]).is_relative_to(warmed)
    assert {path: path.read_bytes() for path in warmed.rglob("*") if path.is_file()} == files


def test_a_damaged_cache_is_made_anew(warmed: Path) -> None:
    # As a loss of power leaves them: empty, or cut off.
    for name, left in (("_compute", 0), ("_fold", 100)):
        for file in warmed.rglob(f"*{name}*.nb[ic]"):
            file.write_bytes(file.read_bytes()[:left])

    found = kernel(warmed)

    assert sorted(found["compiled_s"]) == ["_compute", "_fold"]
    assert kernel(warmed)["compiled_s"] == {}


def test_the_cache_names_a_processor_that_every_machine_has(warmed: Path) -> None:
    found = kernel(warmed)

    assert found["cpu"] == "generic"
    assert found["compiled_s"] == {}
    assert Path(found["folder"]).parent == warmed
