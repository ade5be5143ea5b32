"""Prints the requirements of pyproject.toml and of the dependency groups named as arguments."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
groups = project["dependency-groups"]
print("\n".join(project["project"]["dependencies"]))  # noqa: T201 - its output is its purpose
for name in sys.argv[1:]:
    print("\n".join(groups[name]))  # noqa: T201 - the same
