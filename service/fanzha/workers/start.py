"""Starts a service: one worker in this process, or a supervisor of several in its place."""

import json
import os
import sys
from typing import TextIO

from fanzha.settings import Settings


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; with several workers this process becomes their supervisor.

    Raises:
        SetupError: it cannot start; names the cause and the remedy.
    """
    if settings.workers > 1:
        _become_supervisor(settings)
    from fanzha.workers.worker import serve_alone  # noqa: PLC0415 - not in the supervisor

    serve_alone(settings, said_by)
    say("fanzha: stopped", sys.stdout)


def said_by(address: str) -> None:
    """Say on standard output where clients find the service."""
    say(f"fanzha: serving on {address}; stop with Ctrl-C", sys.stdout)


def say(text: str, where: TextIO) -> None:
    """Write a line at once, also where it goes into a pipe."""
    where.write(f"{text}\n")
    where.flush()


def _become_supervisor(settings: Settings) -> None:
    """Go on as a fresh interpreter under the same process id.

    The command line has loaded gRPC, numpy and much else, which a supervisor neither needs nor may
    hold: its memory would be that of one more worker. Settings go through a pipe, since a URL of
    Redis may hold a password, which a command line would show to all.
    """
    heard, said = os.pipe()
    with os.fdopen(said, "w") as pipe:
        json.dump(settings.model_dump(mode="json"), pipe)
    os.set_inheritable(heard, True)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "fanzha.workers", str(heard)])  # noqa: S606 - this program
