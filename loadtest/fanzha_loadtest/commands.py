"""Runs `fanzha` and `fanzha-training` as a person would, in processes of their own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

_TIMEOUT_S: Final = 600.0
_TAIL: Final = 15


class CommandError(Exception):
    """A command failed: names it, its code and what it said."""


def run(
    module: str, command: str, *options: object, good_codes: tuple[int, ...] = (0,)
) -> dict[str, Any]:
    """Run `python -m MODULE COMMAND OPTIONS --json` and return what it says.

    Args:
        module: "fanzha" or "fanzha_training".
        command: name of the command; words of a subcommand are separated by spaces.
        options: options and their values.
        good_codes: exit codes that are answers, not faults.

    Returns:
        the last line of its stdout, which is JSON; and "exit_code".

    Raises:
        CommandError: it failed, took too long, or did not say what it did.

    """
    words = [*command.split(), *(str(option) for option in options), "--json"]
    shown = f"{module} {command}"
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter, no input from outside
            [sys.executable, "-m", module, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"{shown} took more than {_TIMEOUT_S:.0f} s") from error
    if done.returncode not in good_codes:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-_TAIL:])
        raise CommandError(f"{shown} failed with code {done.returncode}:\n{said}")
    try:
        summary = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError) as error:
        raise CommandError(f"{shown} printed no JSON as its last line") from error
    return {**summary, "exit_code": done.returncode}


def import_list(address: str, file: Path) -> None:
    """Bring the entries of a CSV into effect, on the word of two people."""
    run(
        "fanzha", "lists import", file,
        "--address", address, "--proposed-by", "demo.officer", "--approved-by", "demo.lead",
    )  # fmt: skip
