"""What a soak promises, and whether it was kept."""

from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

from fanzha_loadtest.load.figures import statuses
from fanzha_loadtest.soak.options import Options
from fanzha_loadtest.soak.play import Soaked
from fanzha_loadtest.soak.slopes import Bound, Slope, slope_of

_MIB: Final = 2**20
BOUNDS: Final = (
    Bound("service_rss_bytes", "bytes", 0.05, 8 * _MIB),
    Bound("archiver_rss_bytes", "bytes", 0.10, 24 * _MIB),
    Bound("redis_plateau_bytes", "bytes", 0.05, 2 * _MIB),
    Bound("service_files", "files", 0.02, 3),
    Bound("archiver_files", "files", 0.02, 3),
    Bound("service_threads", "threads", 0.02, 3),
    Bound("archiver_threads", "threads", 0.02, 3),
    Bound("spool_bytes", "bytes", 0.25, 16 * _MIB),
    Bound("p50_ms", "ms", 0.25, 3),
    Bound("p99_ms", "ms", 0.50, 20),
)
"""`redis_plateau_bytes` is what Redis holds of data, without the journal (it has a bound of its
own) and the markers that rightly stay."""
FEW_FAILED: Final = 0.001
_STOOD_STILL_MS: Final = 10_000
"""Latency is judged by its slope; only so long a stop of the driver makes a load unsteady."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One thing a soak shows."""

    name: str
    said: str
    kept: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """All of them."""

    slopes: list[Slope]
    promises: list[Promise]
    series: dict[str, tuple[list[float], list[float]]]
    """Times since the begin in seconds, and values, for each figure."""
    is_void: bool
    """The driver stood still for so long that the load was not steady."""

    @property
    def passed(self) -> bool:
        """Whether every promise was kept."""
        return all(one.kept for one in self.promises)


def judge(options: Options, soaked: Soaked) -> Verdict:
    """Hold what was seen against what is promised."""
    series = _series(soaked)
    slopes = []
    for bound in BOUNDS:
        times, values = series[bound.figure]
        late = [place for place, time in enumerate(times) if time >= options.warm_up_s]
        slopes.append(slope_of(bound, [times[x] for x in late], [values[x] for x in late]))
    promises = [
        Promise(
            f"{slope.bound.figure} stays flat",
            f"{slope.per_hour:+.1%} an hour (at least {slope.per_hour_low:+.1%}) of "
            f"{slope.level:,.6g} {slope.bound.unit}; {slope.rise:+,.4g} over the run, "
            f"{slope.samples} samples",
            slope.is_flat,
        )
        for slope in slopes
    ]
    promises.append(_journal(options, soaked, series))
    if not options.judges_growth:
        promises = []
    promises += [*_records(soaked), *_calls(soaked)]
    return Verdict(slopes, promises, series, 1000 * soaked.load.lag_max_s > _STOOD_STILL_MS)


def _series(soaked: Soaked) -> dict[str, tuple[list[float], list[float]]]:
    samples = [one for one in soaked.samples if "journal" in one]
    times = [one["time_s"] - soaked.began_s for one in samples]
    series = {
        name: (times, [float(one[name]) for one in samples])
        for name in (samples[0] if samples else ())
        if name != "time_s"
    }
    ends = [one.time_s - soaked.began_s for one in soaked.intervals]
    series["p50_ms"] = (ends, [one.p50_ms for one in soaked.intervals])
    series["p99_ms"] = (ends, [one.p99_ms for one in soaked.intervals])
    series["redis_plateau_bytes"] = (times, _plateau(samples, times, ends, soaked))
    return series


def _plateau(
    samples: list[dict[str, Any]], times: list[float], ends: list[float], soaked: Soaked
) -> list[float]:
    """Return the bytes of Redis without the journal and the markers that stay for days."""
    answered = list(accumulate(one.answered for one in soaked.intervals))
    each = soaked.lasting_bytes / max(1, soaked.load.answered)
    left, place = [], 0
    for sample, time in zip(samples, times, strict=True):
        while place < len(ends) and ends[place] <= time:
            place += 1
        begin_s, begin = (ends[place - 1], answered[place - 1]) if place else (0.0, 0)
        # Between two intervals' ends, evenly.
        so_far = begin + (
            (answered[place] - begin) * (time - begin_s) / (ends[place] - begin_s)
            if place < len(ends)
            else 0
        )
        data = sample["redis_dataset_bytes"] - sample["journal_bytes"]
        left.append(data - each * so_far)
    return left


def _journal(
    options: Options, soaked: Soaked, series: dict[str, tuple[list[float], list[float]]]
) -> Promise:
    rows = sum(soaked.rows.values())
    most = max(series["journal"][1], default=float("nan"))
    allowed = options.journal_max(rows / options.seconds)
    return Promise(
        "the archive keeps pace",
        f"at most {most:,.0f} records waited in the journal ({allowed:,.0f} may); "
        f"{rows:,} were archived",
        most <= allowed,
    )


def _records(soaked: Soaked) -> list[Promise]:
    failed = soaked.load.begun - soaked.load.answered
    lost = sum(soaked.seen.sent.values()) - sum(soaked.seen.taken.values())
    promises = []
    for one in soaked.records:
        allowed = failed if one.kind == "decision" else lost
        promises.append(
            Promise(
                f"every {one.kind} is archived once",
                f"{one.told:,} were confirmed, {one.archived:,} are in the archive: "
                f"{one.missing} missing, {one.doubled} doubled, {one.untold} told to nobody",
                one.agrees(allowed) and one.told > 0,
            )
        )
    return promises


def _calls(soaked: Soaked) -> list[Promise]:
    load = soaked.load
    failed = load.begun - load.answered
    sent, taken = sum(soaked.seen.sent.values()), sum(soaked.seen.taken.values())
    return [
        Promise(
            "calls are answered",
            f"{load.answered:,} of {load.begun:,}; refused {load.refused}, {statuses(load)}",
            failed <= FEW_FAILED * load.begun,
        ),
        Promise(
            "executions and outcomes are taken",
            f"{taken:,} of {sent:,}",
            sent - taken <= FEW_FAILED * sent,
        ),
        Promise(
            "decisions are found again",
            f"{soaked.found} of {soaked.asked} by GetDecision, as they were answered",
            soaked.found == soaked.asked > 0,
        ),
        Promise(
            "repeats get the same answer",
            f"{soaked.seen.repeated} repeated, {soaked.seen.contradicted} contradicted",
            soaked.seen.contradicted == 0,
        ),
        Promise(
            "the archiver ends in order", f"exit code {soaked.archiver_exit}",
            soaked.archiver_exit == 0,
        ),
    ]  # fmt: skip
