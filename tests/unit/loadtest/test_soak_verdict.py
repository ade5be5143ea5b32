"""What a soak promises: growth, pace and counts are judged from what was sampled and noted."""

from dataclasses import replace
from typing import Any

from fanzha_loadtest.driver import Load
from fanzha_loadtest.load.answers import Seen
from fanzha_loadtest.soak.intervals import Interval
from fanzha_loadtest.soak.options import full
from fanzha_loadtest.soak.play import Soaked
from fanzha_loadtest.soak.records import Compared
from fanzha_loadtest.soak.verdict import judge

OPTIONS = full(seconds=1_200, rate=200)
BEGAN_S = 1_000_000.0
EVERY_S = 6.0
COUNT = 200
MARKER_BYTES = 100
EACH = int(OPTIONS.rate * EVERY_S)


def a_sample(number: int, **others: float) -> dict[str, Any]:
    """A sample at the end of an interval: full of state, and of one marker a decision."""
    markers = MARKER_BYTES * EACH * (number + 1)
    return {
        "time_s": BEGAN_S + EVERY_S * (number + 1),
        "redis_bytes": 200e6 + markers,
        # The journal comes and goes with the archiver's rounds.
        "redis_dataset_bytes": 150e6 + markers + 2e6 * (number % 9),
        "journal": 12_000 + 1_000 * (number % 9),
        "journal_bytes": 5e6 + 2e6 * (number % 9),
        "spool_bytes": 30e6,
        **{f"{name}_rss_bytes": 400e6 for name in ("service", "archiver", "redis")},
        **{f"{name}_files": 90 for name in ("service", "archiver")},
        **{f"{name}_threads": 60 for name in ("service", "archiver")},
    } | others


def soaked(**others: Any) -> Soaked:
    answered = EACH * COUNT
    load = Load(200.0, 1_200.0, answered=answered)
    load.begun = answered
    seen = Seen(repeated=10)
    seen.sent["execution"] = seen.taken["execution"] = 100
    ends = [BEGAN_S + EVERY_S * (number + 1) for number in range(COUNT)]
    same = {"told": 100, "archived": 100, "missing": 0, "doubled": 0, "untold": 0}
    given: dict[str, Any] = {
        "load": load,
        "seen": seen,
        "samples": [a_sample(number) for number in range(COUNT)],
        "intervals": [Interval(end, EACH, 0, 3.0, 9.0) for end in ends],
        "lasting_keys": answered,
        "lasting_bytes": MARKER_BYTES * answered,
        "records": [Compared(kind, **same) for kind in ("decision", "execution", "outcome")],
        "rows": {"decision": 100, "execution": 100, "change": 900_000},
        "archiver_exit": 0,
        "asked": 200,
        "found": 200,
        "began_s": BEGAN_S,
    }
    return Soaked(**given | others)


def broken(seen: Soaked) -> list[str]:
    return [promise.name for promise in judge(OPTIONS, seen).promises if not promise.kept]


def test_a_steady_service_whose_markers_alone_grow_passes() -> None:
    assert broken(soaked()) == []


def test_redis_that_grows_beyond_its_markers_is_found() -> None:
    samples = [
        a_sample(x, redis_dataset_bytes=150e6 + (MARKER_BYTES + 200) * EACH * x, journal_bytes=0)
        for x in range(COUNT)
    ]

    assert broken(soaked(samples=samples)) == ["redis_plateau_bytes stays flat"]


def test_a_leak_of_memory_and_of_files_is_found() -> None:
    samples = [
        a_sample(x, service_rss_bytes=400e6 + 2e5 * x, archiver_files=5 + x // 10)
        for x in range(COUNT)
    ]

    assert broken(soaked(samples=samples)) == [
        "service_rss_bytes stays flat", "archiver_files stays flat",
    ]  # fmt: skip


def test_growth_within_the_warm_up_is_none() -> None:
    samples = [a_sample(x, service_rss_bytes=400e6 - 5e6 * max(0, 50 - x)) for x in range(COUNT)]

    assert broken(soaked(samples=samples)) == []


def test_latency_that_creeps_up_is_found() -> None:
    intervals = [
        replace(one, p99_ms=9 + 0.3 * number) for number, one in enumerate(soaked().intervals)
    ]

    assert broken(soaked(intervals=intervals)) == ["p99_ms stays flat"]


def test_an_archive_that_falls_behind_is_found() -> None:
    samples = [a_sample(x, journal=1_000 * x) for x in range(COUNT)]

    assert broken(soaked(samples=samples)) == ["the archive keeps pace"]


def test_one_lost_record_fails() -> None:
    records = soaked().records
    lost = [records[0], replace(records[1], archived=99, missing=1), records[2]]

    assert broken(soaked(records=lost)) == ["every execution is archived once"]


def test_a_sampler_that_saw_nothing_proves_nothing() -> None:
    assert len(broken(soaked(samples=[a_sample(0)]))) >= 8
