"""`make audit`: does a locked package have a known weakness?

Asks the OSV service through pip-audit, or a file of its advisories (`--offline`: a JSON list of
OSV entries, as a mirror keeps them). Exit codes: 0 none is known; 1 some are; 3 nobody could be
asked, which says nothing about the packages. The last line is JSON.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version
from tests.lock import Pin, read_lock

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
CLEAN, WEAK, NOT_ASKED = 0, 1, 3
_TIMEOUT_S = 300

Weakness = dict[str, str]


class NotAskedError(Exception):
    """Nobody could be asked."""


def asked(lock: Path, command: tuple[str, ...]) -> list[Weakness]:
    """Return what the advisory service knows.

    Raises:
        NotAskedError: it cannot be reached, or gave no answer.
    """
    try:
        done = subprocess.run(
            [*command, "--requirement", str(lock), "--disable-pip", "--require-hashes",
             "--vulnerability-service", "osv", "--format", "json", "--progress-spinner", "off"],
            capture_output=True, text=True, check=False, timeout=_TIMEOUT_S,
        )  # fmt: skip
        # It ends with 1 both when it found something and when it failed.
        packages = json.loads(done.stdout)["dependencies"]
        found = [
            {"package": each["name"], "version": each["version"], "id": weakness["id"]}
            for each in packages
            for weakness in each["vulns"]
        ]
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError) as error:
        raise NotAskedError(
            "the advisory service could not be asked; reach it, or name a file of its advisories: "
            "python -m tests.audit --offline FILE"
        ) from error
    missing = {pin.name for pin in read_lock(lock)} - {normal(each["name"]) for each in packages}
    if missing:
        raise NotAskedError(f"the advisory service said nothing about {', '.join(sorted(missing))}")
    return found


def known(pins: list[Pin], advisories: Path) -> list[Weakness]:
    """Return what a file of OSV entries knows.

    Raises:
        NotAskedError: it cannot be read.
    """
    try:
        entries: list[dict[str, Any]] = json.loads(advisories.read_text())
        if not isinstance(entries, list) or not entries:
            raise TypeError("an empty list, or none")  # noqa: TRY301 - one message for all
        return [
            {"package": pin.name, "version": pin.version, "id": entry["id"]}
            for pin in pins
            for entry in entries
            if not entry.get("withdrawn") and any(_is_hit(pin, a) for a in entry["affected"])
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotAskedError(f"{advisories} is no list of OSV entries: {error!r}") from error


def _is_hit(pin: Pin, affected: dict[str, Any]) -> bool:
    package = affected["package"]
    if package["ecosystem"] != "PyPI" or normal(package["name"]) != pin.name:
        return False
    return pin.version in affected.get("versions", ()) or any(
        _is_inside(Version(pin.version), span["events"])
        for span in affected.get("ranges", ())
        if span["type"] == "ECOSYSTEM"
    )


def _is_inside(version: Version, events: list[dict[str, str]]) -> bool:
    """Say whether a version is weak by the events of one range, in any order."""
    is_weak = False
    steps = [(kind, _version(text)) for event in events for kind, text in event.items()]
    for kind, at in sorted(steps, key=lambda step: step[1]):
        if kind == "introduced" and version >= at:
            is_weak = True
        elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
            is_weak = False
    return is_weak


def _version(text: str) -> Version:
    try:
        return Version("0.dev0" if text == "0" else text)
    except InvalidVersion as error:
        raise ValueError(str(error)) from error


def normal(name: str) -> str:
    """Return a package's name as the lock writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def main(arguments: list[str]) -> int:
    """Tell what is known, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.audit", description=__doc__)
    parser.add_argument("--offline", type=Path, help="file of OSV entries, a JSON list")
    parser.add_argument("--lock", type=Path, default=LOCK)
    given = parser.parse_args(arguments)
    pins = read_lock(given.lock)
    told: dict[str, object] = {"packages": len(pins), "asked": True}
    try:
        if given.offline is not None:
            found = known(pins, given.offline)
        else:
            found = asked(given.lock, (sys.executable, "-m", "pip_audit"))
    except NotAskedError as error:
        print(f"audit: {error}", file=sys.stderr)  # noqa: T201 - its output is its purpose
        print(json.dumps(told | {"asked": False}))  # noqa: T201 - as above
        return NOT_ASKED
    for each in found:
        line = f"{each['package']} {each['version']}: {each['id']}"
        print(line, file=sys.stderr)  # noqa: T201 - as above
    print(json.dumps(told | {"weaknesses": found}))  # noqa: T201 - as above
    return WEAK if found else CLEAN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
