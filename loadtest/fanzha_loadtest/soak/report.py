"""Writes a soak's report: one HTML file that needs nothing else, with all plots inside."""

from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from fanzha_loadtest import pictures
from fanzha_loadtest.load.machine import describe_machine
from fanzha_loadtest.soak.options import Options
from fanzha_loadtest.soak.play import Soaked
from fanzha_loadtest.soak.verdict import Verdict

_MIB = 2**20


def write_report(path: Path, options: Options, soaked: Soaked, verdict: Verdict) -> None:
    """Write the page.

    Raises:
        OSError: it cannot be written.

    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = resources.files("fanzha_loadtest.soak").joinpath("report.html.j2")
    page = environment.from_string(template.read_text("utf-8")).render(
        now=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        options=options,
        soaked=soaked,
        verdict=verdict,
        machine=describe_machine(),
        pictures=_pictures(verdict),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, "utf-8")


def _pictures(verdict: Verdict) -> list[tuple[str, str]]:
    plots = (
        ("Memory of the processes", "MiB", _MIB,
         ("service_rss_bytes", "archiver_rss_bytes", "redis_rss_bytes")),
        ("What Redis holds", "MiB", _MIB,
         ("redis_bytes", "redis_dataset_bytes", "redis_plateau_bytes")),
        ("Records waiting in the journal", "records", 1, ("journal",)),
        ("The spool", "MiB", _MIB, ("spool_bytes",)),
        ("Open files and threads", "", 1,
         ("service_files", "service_threads", "archiver_files", "archiver_threads")),
        ("Latency of each interval, from the due time", "ms", 1, ("p50_ms", "p99_ms")),
    )  # fmt: skip
    drawn = []
    for title, label, unit, names in plots:
        times = [time / 60 for time in verdict.series[names[0]][0]]
        series = [(name, [value / unit for value in verdict.series[name][1]]) for name in names]
        drawn.append((title, pictures.lines_over_time(times, series, label)))
    return drawn
