"""Prints the requirements of the projects and dependency groups that are named as arguments.

`service` and `training` are the two projects of this repository, `dev` a dependency group.
"""

import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PROJECTS = {"service": ROOT / "pyproject.toml", "training": ROOT / "training" / "pyproject.toml"}
OWN = {"fanzha", "fanzha-training"}


def read(path: Path) -> dict[str, Any]:
    """Return a pyproject file."""
    return tomllib.loads(path.read_text())


def requirements(name: str) -> list[str]:
    """Return the requirements of a project or of a dependency group."""
    if name in PROJECTS:
        return [x for x in read(PROJECTS[name])["project"]["dependencies"] if x not in OWN]
    groups: dict[str, list[str]] = read(PROJECTS["service"])["dependency-groups"]
    return groups[name]


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print("\n".join(requirements(argument)))  # noqa: T201 - its output is its purpose
