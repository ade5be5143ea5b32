"""`python -m fanzha_loadtest.overload`: what a worker does when more comes than it can answer.

One worker on one processor core, its clients and its Redis on the others. Measured are its
saturation (closed loop), then open loops at 0.7, 1, 1.5 and 3 times of that, and what a normal load
sees right after. The last line is JSON. Exit code 1: a promise of docs/operations/overload.md was
not kept.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import transfer_pb2 as wire
from fanzha_loadtest.driver import Driver, Load
from fanzha_loadtest.http2 import Call
from fanzha_loadtest.service import Service

GOODPUT_SHARE: Final = 0.7
"""Of saturation, that is answered at 1.5 times saturation."""
P99_TIMES: Final = 3.0
"""At 1.5 times saturation, the 99th percentile of the answered, against that at saturation."""
RECOVERY_S: Final = 5.0
_SEED: Final = 20261125
_ACCOUNTS: Final = 20_000
_CALLERS: Final = 32
_WARM_S: Final = 4.0
_RATE_MAX: Final = 10_000
_METHOD: Final = "/fanzha.v1.ScoringService/ScoreTransfer"


def bodies_from(start: int) -> Iterator[bytes]:
    """Yield serialised requests without end, each with its own request id."""
    number = start
    while True:
        number += 1
        transfer = wire.Transfer(
            transfer_id=f"t-{number}",
            kind=wire.TRANSFER_KIND_TRANSFER,
            channel=wire.CHANNEL_MOBILE,
            amount=wire.Money(currency_code="CNY", minor_units=1_000 + number % 90_000),
            payer=wire.Party(account=f"payer-{number * 7919 % _ACCOUNTS}"),
            payee=wire.Party(account=f"payee-{number * 104_729 % _ACCOUNTS}"),
        )
        transfer.create_time.FromMilliseconds(time.time_ns() // 1_000_000)
        request = scoring.ScoreTransferRequest(request_id=f"r-{number}", transfer=transfer)
        yield request.SerializeToString()


def main(
    seconds: Annotated[float, typer.Option(min=1, help="Length of each load, in seconds.")] = 10.0,
    models: Annotated[Path, typer.Option(help="Folder of the models.")] = Path("models"),
) -> None:
    """Measure one worker below, at and above its saturation; the last line is JSON."""
    console = Console(stderr=True)
    cores = sorted(os.sched_getaffinity(0))
    loads: dict[str, Load] = {}
    with tempfile.TemporaryDirectory(prefix="fz-") as folder:
        place = Path(folder)
        service = Service(place / "data", models, place / "serve.log", clock="system")
        with service, console.status("warming up"):
            if len(cores) > 1:
                service.pin({cores[0]})
                os.sched_setaffinity(0, set(cores[1:]))
            with Driver([service.address], Call(_METHOD)) as driver:
                _measure(driver, seconds, loads, console)
    _show(loads, console)
    promises = _promises(loads)
    figures = {name: load.as_json() for name, load in loads.items()}
    typer.echo(json.dumps({"loads": figures, "promises": promises}))
    sys.exit(0 if all(promises.values()) else 1)


def _measure(driver: Driver, seconds: float, loads: dict[str, Load], console: Console) -> None:
    source = bodies_from(time.time_ns())

    def some(rate_s: float, length_s: float) -> Iterator[bytes]:
        # Made beforehand: making them would make the driver late.
        return iter([next(source) for _ in range(int(rate_s * length_s * 1.2) + 200)])

    driver.closed(some(_RATE_MAX, _WARM_S), _CALLERS, _WARM_S)
    closed = loads["closed"] = driver.closed(some(_RATE_MAX, seconds), _CALLERS, seconds)
    rate_s = closed.goodput_s
    for name, times in (("0.7x", 0.7), ("1x", 1.0), ("1.5x", 1.5), ("3x", 3.0)):
        console.print(f"{name}: {times * rate_s:,.0f} calls a second for {seconds:g} s")
        rate = times * rate_s
        loads[name] = driver.open(some(rate, seconds), rate, seconds, _SEED)
    # Right after three times of what it can do: the first seconds count apart.
    rate = 0.7 * rate_s
    loads["first 5 s after"] = driver.open(some(rate, RECOVERY_S), rate, RECOVERY_S, _SEED)
    loads["0.7x after"] = driver.open(some(rate, seconds), rate, seconds, _SEED)


def _promises(loads: dict[str, Load]) -> dict[str, bool]:
    """Return what is promised, and whether it was kept."""
    closed, over, after = loads["closed"], loads["1.5x"], loads["0.7x after"]
    served = after.answered / max(1, after.begun)
    return {
        "goodput at 1.5x": over.goodput_s >= GOODPUT_SHARE * closed.goodput_s,
        "p99 at 1.5x": over.latency_ms(0.99) <= P99_TIMES * closed.latency_ms(0.99),
        "every refusal has a hint": all(x.hinted == x.refused for x in loads.values()),
        "normal again within 5 s": served >= 0.99,
    }


def _show(loads: dict[str, Load], console: Console) -> None:
    table = Table("load", "offered/s", "answered/s", "refused", "other", "p50 ms", "p99 ms")
    for name, load in loads.items():
        table.add_row(
            name,
            f"{load.offered_s:,.0f}",
            f"{load.goodput_s:,.0f}",
            f"{load.refused:,}",
            f"{sum(load.other.values()):,}",
            f"{load.latency_ms(0.5):.1f}",
            f"{load.latency_ms(0.99):.1f}",
        )
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
