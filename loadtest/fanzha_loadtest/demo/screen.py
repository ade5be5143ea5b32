"""What is seen while the demo runs: a live table on a terminal, a few plain lines elsewhere.

All of it goes to stderr; stdout is for the summary.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live as RichLive
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from fanzha_loadtest.tally import LEVELS, Live, Risky

BANK_ZONE: Final = timezone(timedelta(hours=8))
LEVEL_NAMES: Final = {
    "allow": "ALLOW",
    "confirm": "CONFIRM 蓝",
    "pause": "PAUSE 黄",
    "block": "BLOCK 红",
}
_COLOURS: Final = {"allow": "green", "confirm": "blue", "pause": "yellow", "block": "red"}
_RISKY_SHOWN: Final = 6
_WIDE: Final = 130
"""Columns from which on reason and headline stand side by side."""
_PLAIN_EVERY_S: Final = 10.0
_REFRESHES_PER_SECOND: Final = 4

Look = Callable[[], Live]
"""Returns the figures of this moment."""


class Screen:
    """Shows stages, and the figures while transfers are played. Use it with `with`."""

    def __init__(self, console: Console) -> None:
        """Choose live or plain by what the console is."""
        self._console = console
        self._look: Look | None = None
        self._moving = False
        """Whether transfers are being played."""
        self._stages: list[tuple[str, float | None, str]] = []
        self._began = time.monotonic()
        self._stopped = threading.Event()
        self._live = (
            RichLive(
                get_renderable=self._draw,
                console=console,
                refresh_per_second=_REFRESHES_PER_SECOND,
            )
            if console.is_terminal
            else None
        )
        self._plain = threading.Thread(target=self._tell_now_and_then, name="screen", daemon=True)

    def __enter__(self) -> Self:
        """Begin to show."""
        self._began = time.monotonic()
        if self._live is not None:
            self._live.start()
        else:
            self._plain.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last picture standing."""
        self._stopped.set()
        if self._live is not None:
            self._live.stop()
        else:
            self._plain.join(timeout=2.0)

    @property
    def stages(self) -> list[tuple[str, float]]:
        """Finished stages and how many seconds they took."""
        return [(name, seconds) for name, seconds, _ in self._stages if seconds is not None]

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[str], None]]:
        """Show a stage while it lasts; the yielded function notes what came of it."""
        index, begin = len(self._stages), time.monotonic()
        self._stages.append((name, None, ""))

        def note(result: str) -> None:
            self._stages[index] = (name, None, result)

        yield note
        result = self._stages[index][2]
        seconds = time.monotonic() - begin
        self._stages[index] = (name, seconds, result)
        if self._live is None:
            self._say(f"{name} ({seconds:.1f} s){': ' if result else ''}{result}")

    @contextmanager
    def watching(self, look: Look) -> Iterator[None]:
        """Show figures from now on, and live while the block lasts."""
        self._look, self._moving = look, True
        yield
        frozen = look()
        self._look, self._moving = (lambda: frozen), False

    def _say(self, text: str) -> None:
        self._console.print(
            f"[{time.monotonic() - self._began:6.1f} s] {text}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    def _tell_now_and_then(self) -> None:
        while not self._stopped.wait(_PLAIN_EVERY_S):
            if self._look is None or not self._moving:
                continue
            live = self._look()
            levels = ", ".join(f"{level} {count:,}" for level, count in live.levels.items())
            self._say(
                f"  {local_time(live.time_ms)}: {live.transfers:,} transfers, "
                f"{live.per_second:,.0f}/s, p50 {live.p50_ms:.1f} ms, p99 {live.p99_ms:.1f} ms; "
                f"{levels}"
            )

    def _draw(self) -> Panel:
        parts: list[Table | Text] = [self._draw_stages()]
        if self._look is not None:
            live = self._look()
            wide = self._console.width >= _WIDE
            parts += [
                _draw_figures(live),
                _draw_levels(live),
                _draw_risky(live.risky[-_RISKY_SHOWN:], wide=wide),
            ]
        seconds = time.monotonic() - self._began
        return Panel(Group(*parts), title=f"Fanzha 反诈 demo · {seconds:.0f} s", expand=True)

    def _draw_stages(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name, seconds, result in self._stages:
            mark = Text("…", "bold yellow") if seconds is None else Text("✓", "bold green")
            took = "" if seconds is None else f"{seconds:.1f} s"
            table.add_row(mark, Text(name), Text(took, "dim"), Text(result, "cyan"))
        return table


def _draw_figures(live: Live) -> Table:
    table = Table(expand=True, show_edge=False, pad_edge=False)
    for head in ("simulated", "transfers", "per s", "p50", "p99", "executions", "outcomes"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_row(
        local_time(live.time_ms),
        f"{live.transfers:,}",
        f"{live.per_second:,.0f}",
        f"{live.p50_ms:.1f} ms",
        f"{live.p99_ms:.1f} ms",
        f"{live.executions:,}",
        f"{live.outcomes:,}",
    )
    return table


def _draw_levels(live: Live) -> Table:
    table = Table(expand=True, show_edge=False, pad_edge=False)
    for level in LEVELS:
        table.add_column(Text(LEVEL_NAMES[level], _COLOURS[level]), justify="right", no_wrap=True)
    table.add_column("model", justify="right", no_wrap=True)
    table.add_row(*(f"{live.levels[level]:,}" for level in LEVELS), live.model_version or "none")
    return table


def _draw_risky(risky: tuple[Risky, ...], *, wide: bool) -> Table:
    table = Table(expand=True, title="last risky transfers", show_edge=False, pad_edge=False)
    table.add_column("time", no_wrap=True)
    table.add_column("channel", no_wrap=True)
    table.add_column("yuan", justify="right", no_wrap=True)
    table.add_column("decision", no_wrap=True)
    table.add_column("score", justify="right")
    heads = ("reason (staff)", "headline (customer)")
    for head in heads if wide else ["\n".join(heads)]:
        table.add_column(head, ratio=1, no_wrap=True, overflow="ellipsis")
    for entry in risky:
        reason = Text(entry.reasons_zh[0] if entry.reasons_zh else "")
        headline = Text(entry.headline, "bold")
        table.add_row(
            local_time(entry.time_ms),
            entry.channel.replace("_", " "),
            yuan(entry.amount_minor),
            Text(LEVEL_NAMES[entry.level], _COLOURS[entry.level]),
            "—" if entry.score is None else str(entry.score),
            *([reason, headline] if wide else [Text("\n").join([reason, headline])]),
        )
    return table


def local_time(time_ms: int) -> str:
    """Return a time in the bank's zone, to the minute."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(BANK_ZONE).strftime("%m-%d %H:%M")


def yuan(amount_minor: int) -> str:
    """Return fen as yuan."""
    return f"{amount_minor / 100:,.2f}"
