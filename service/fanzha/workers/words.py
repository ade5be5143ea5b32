"""What supervisor and worker say to each other: lines of JSON, on the worker's first two files.

The supervisor says the job, then `open`; that its end of the pipe closes says that it is gone. The
worker says `prepared`, then where it serves, or why it cannot.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

OPEN: Final = "open"


@dataclass(frozen=True, slots=True)
class Job:
    """What one worker is to do."""

    number: int
    """From 0."""
    settings: dict[str, Any]
    address: str
    spool: str
    redis_url: str
    lock: int
    """The file that holds the data folder, which is inherited."""
    core: int | None
    may_move: bool
    where: str
    """The same in words."""

    def line(self) -> str:
        """Return it as a line."""
        return json.dumps(asdict(self)) + "\n"


def job_of(line: str) -> Job:
    """Return the job that a line says."""
    return Job(**json.loads(line))


@dataclass(frozen=True, slots=True)
class News:
    """What a worker says; one of these."""

    prepared: bool = False
    """All is ready but the door."""
    address: str = ""
    """Where it serves now."""
    failed: str = ""
    """Why it cannot."""

    def line(self) -> str:
        """Return it as a line."""
        return json.dumps(asdict(self)) + "\n"


def news_of(line: str) -> News:
    """Return what a line says."""
    return News(**json.loads(line))
