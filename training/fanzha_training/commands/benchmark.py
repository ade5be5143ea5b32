"""`fanzha-training benchmark`: the public card set of the Fraud Detection Handbook."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from fanzha_training.benchmark import (
    BOOK_WEEK,
    EARLIER_WEEKS,
    LATER_WEEKS,
    SEEDS,
    build,
    check_counts,
    measure,
)
from fanzha_training.commands.console import AsJson, show, stages


def benchmark(
    *,
    file: Annotated[Path, typer.Option(help="The book's transactions, one Parquet file.")],
    earlier: Annotated[
        bool,
        typer.Option("--earlier", help="Measure on the weeks that choices were made on instead."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train and test under the book's protocol, with three seeds; then on the two weeks after."""
    weeks = EARLIER_WEEKS if earlier else (BOOK_WEEK, *LATER_WEEKS)
    with stages() as say, tempfile.TemporaryDirectory(prefix="fanzha-benchmark-") as folder:
        dataset = build(file, Path(folder) / "dataset.parquet", weeks, say)
        measured = []
        for number, week in enumerate(weeks, 1):
            stage = f"week {number} of {len(weeks)}, from {week}"
            say(stage)
            found = measure(dataset, week, SEEDS, partial(_tell, say, stage))
            if week == BOOK_WEEK:
                check_counts(found)
            measured.append(found)
    if earlier:
        show({"seeds": list(SEEDS), "earlier": {x["week"]: x for x in measured}}, as_json=as_json)
        return
    show(
        {**measured[0], "seeds": list(SEEDS), "later": {x["week"]: x for x in measured[1:]}},
        as_json=as_json,
    )


def _tell(say: Callable[[str], None], stage: str, seed: int) -> None:
    say(f"{stage}: seed {seed} done")
