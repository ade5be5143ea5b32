"""Plays a soak: one real service, its archiver, the sampler, and a steady open loop."""

import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fanzha_loadtest.chained_driver import ChainedDriver, Target
from fanzha_loadtest.driver import Load
from fanzha_loadtest.load.answers import Kept, Seen, Traffic
from fanzha_loadtest.load.place import Place
from fanzha_loadtest.load.play import found_again
from fanzha_loadtest.service import PATIENT, Service
from fanzha_loadtest.soak.beside import Beside, archiver, drain, read_samples
from fanzha_loadtest.soak.closed_bank import ClosedBank
from fanzha_loadtest.soak.intervals import Interval, Intervals
from fanzha_loadtest.soak.lasting import lasting_bytes
from fanzha_loadtest.soak.options import Options
from fanzha_loadtest.soak.records import Compared, Notes, compare
from fanzha_loadtest.traffic.attempts import Attempts

_SETTLE_S: Final = 3.0
"""Changes that a worker could not relay at once are swept after two seconds."""
_DEADLINE_MS: Final = 10_000


class SoakError(Exception):
    """The soak could not be played: names what ended, with its last words."""


@dataclass(frozen=True, slots=True)
class Soaked:
    """Everything that was seen."""

    load: Load
    seen: Seen
    samples: list[dict[str, Any]]
    intervals: list[Interval]
    lasting_keys: int
    lasting_bytes: int
    records: list[Compared]
    rows: dict[str, int]
    """The archive's rows by kind."""
    archiver_exit: int
    asked: int
    found: int
    """Decisions that GetDecision found again, long after they left Redis, of those asked for."""
    began_s: float


def soak(options: Options, models: Path, folder: Path, told: Callable[[str], None]) -> Soaked:
    """Play a soak.

    Raises:
        CommandError, OSError, ServiceError, SoakError: it could not be played.

    """
    service = Service(
        folder / "data",
        models,
        folder / "serve.log",
        clock="system",
        # It waits long for Redis: a soak is about growth, and a stop of the machine is no outage.
        environment={
            **PATIENT,
            "FANZHA_IDEMPOTENCY_WINDOW_S": str(options.window_s),
            "FANZHA_IDEMPOTENCY_MEMORY_S": str(options.window_s),
            "FANZHA_SPOOL_SEGMENT_S": str(max(0.5, min(10.0, options.round_s))),
        },
    )
    notes, kept = Notes(folder), Kept(lately=deque(maxlen=options.repeatable))
    kept.on_record = notes.note
    with service:
        told(f"a service serves on {service.address}")
        beside = archiver(service, folder / "archive.log", options.round_rows, options.round_s)
        sampler = _sampler(service, beside, folder, options)
        try:
            if not beside.wait_until_it_says("archiving to"):
                raise SoakError(f"the archiver did not start:\n{beside.last_words()}")
            began_s = time.time()
            told(f"{options.rate:g} decisions a second for {options.seconds:g} s")
            load, seen, intervals = _drive(service, options, kept)
            told("the rest is archived")
            time.sleep(_SETTLE_S)
            for process in (beside, sampler):
                if process.has_ended:
                    raise SoakError(f"a process ended by itself:\n{process.last_words()}")
        finally:
            sampler.stop()
            archiver_exit = beside.stop()
        drain(service)
        notes.close()
        told("records are compared")
        keys, held_bytes = lasting_bytes(service.redis_url)
        found = found_again(Place((service.address,)), kept.sample)
        records, rows = compare(notes, service.archive)
        return Soaked(
            load, seen, read_samples(folder / "samples.jsonl"), intervals, keys, held_bytes,
            records, rows, archiver_exit, len(kept.sample), found, began_s,
        )  # fmt: skip


def _drive(service: Service, options: Options, kept: Kept) -> tuple[Load, Seen, list[Interval]]:
    profile = options.profile()
    rng = random.Random(profile.seed)  # noqa: S311 - a load, not a secret
    driver = ChainedDriver(Target((service.address,)), deadline_ms=_DEADLINE_MS)
    attempts = Attempts(ClosedBank(profile.bank.size), rng, f"s{time.time_ns() // 1_000_000:x}")
    traffic = Traffic(profile, profile.phases[0], attempts, rng, driver, kept)
    intervals = Intervals(options.every_s)
    traffic.on_latency = intervals.took
    driver.on_end = traffic.on_end
    with driver:
        load = driver.open(traffic.messages(), options.rate, options.seconds, profile.seed)
    return load, traffic.seen, intervals.closed


def _sampler(service: Service, beside: Beside, folder: Path, options: Options) -> Beside:
    return Beside(
        folder / "sampler.log", "fanzha_loadtest.soak.sampler", folder / "samples.jsonl",
        "--redis", service.redis_url, "--spool", service.spool, "--every", options.every_s,
        "--pid", f"service={service.pid}", "--pid", f"archiver={beside.pid}",
    )  # fmt: skip
