"""Who trained a model, where, from when until when, and with what: kept beside it, for its card.

JR/T 0221-2021 asks for the operator, the environment, begin and end of a training. They differ from
run to run, so they stay out of every file that has to come out the same from the same data.
"""

import getpass
import json
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from fanzha.domain.errors import SetupError

PROVENANCE_FILE: Final = "provenance.json"

Clock = Callable[[], datetime]

_LIBRARIES: Final = ("xgboost-cpu", "numpy", "polars", "pyarrow", "scikit-learn")
_NAME_CHARACTERS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a model came to be. Times are ISO 8601 in UTC, to the second."""

    by: str
    by_says: str
    """Where the name comes from: "--by", or "operating system" for the account that ran it."""
    where: str
    """The machine, or what --where calls it."""
    began: str
    ended: str
    machine: str
    processes: int
    """On how many the trees were grown."""
    libraries: dict[str, str]


class Recorder:
    """Notes who begins a training, and when it ends."""

    def __init__(self, by: str | None, where: str | None, clock: Clock) -> None:
        """Begin.

        Args:
            by: who trains; None: the account that runs this process.
            where: what to call the place; None: the machine's own name.
            clock: gives the time, with its time zone.

        Raises:
            SetupError: nobody is named, or a name has characters that no name has.

        """
        self._clock = clock
        self._by, self._by_says = (by, "--by") if by is not None else (_account(), _SYSTEM)
        self._where = platform.node() if where is None else where
        for option, name in (("--by", self._by), ("--where", self._where)):
            _check_name(option, name)
        self._began = _iso(clock())

    def ended(self, processes: int = 1) -> Provenance:
        """Return what there is to say now that the training is over.

        Args:
            processes: on how many the trees were grown.

        """
        system = f"{platform.system()} {platform.release()}"
        return Provenance(
            by=self._by.strip(),
            by_says=self._by_says,
            where=self._where.strip(),
            began=self._began,
            ended=_iso(self._clock()),
            machine=(
                f"{platform.machine()}, {os.cpu_count()} processors, {system}, "
                f"Python {platform.python_version()}"
            ),
            processes=processes,
            libraries={name: version(name) for name in _LIBRARIES},
        )


_SYSTEM: Final = "operating system"


def _account() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:
        raise SetupError(
            "the operating system does not say who runs this; name the person with --by"
        ) from error


def _check_name(option: str, name: str) -> None:
    if not name.strip() or len(name) > _NAME_CHARACTERS_MAX or not name.isprintable():
        raise SetupError(
            f"{option} is {name!r}; give a name of 1 to {_NAME_CHARACTERS_MAX} printable characters"
        )


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_provenance(folder: Path) -> dict[str, Any]:
    """Return what a trained model's folder says of how it came to be, as `Provenance` has it.

    Raises:
        SetupError: it does not say it, or not all of it; such a model gets no card.

    """
    file = folder / PROVENANCE_FILE
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        made = Provenance(**stored)
    except (OSError, ValueError, TypeError) as error:
        raise SetupError(
            f"{folder} does not say who trained the model, where and when: {error!r}; train again"
        ) from error
    missing = [each.name for each in fields(made) if not getattr(made, each.name)]
    if missing:
        raise SetupError(f"{file} leaves {', '.join(missing)} empty; train again")
    return asdict(made)


def provenance_rows(made: dict[str, Any]) -> list[tuple[str, object]]:
    """Return rows for the card: a name and a value each.

    Args:
        made: see `Provenance`.

    """
    source = "" if made["by_says"] == "--by" else f" (account of the {made['by_says']})"
    where = f"{made['where']}: {made['machine']}"
    libraries = ", ".join(f"{name} {number}" for name, number in made["libraries"].items())
    return [
        ("by", _cell(made["by"]) + source),
        ("where", _cell(where)),
        ("from", made["began"]),
        ("until", made["ended"]),
        ("processes", made["processes"]),
        ("libraries", libraries),
    ]


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
