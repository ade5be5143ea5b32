"""The public benchmark: the card set of the Fraud Detection Handbook, under the book's protocol.

Le Borgne, Siblini, Lebichot and Bontempi (2022), "Reproducible Machine Learning for Credit Card
Fraud Detection - Practical Handbook", chapters 3 (baseline) and 4 (metrics): train on a week, leave
a week for reports to come in, test on the next; on each test day the cards that are known to be
compromised by then are left out. Features and trainer are those of every other data set.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl
import xgboost as xgb
from sklearn.metrics import average_precision_score, roc_auc_score

from fanzha.domain.errors import SetupError
from fanzha_training.building.from_file import build_from_file
from fanzha_training.building.options import BuildOptions
from fanzha_training.dataset import DAY_MS, Dataset, load_dataset
from fanzha_training.grow import TrainOptions, layer_of, margins, parameters_of
from fanzha_training.one_machine import one_machine
from fanzha_training.split import Part

MAPPING: Final = "handbook"
ZONE: Final = "Asia/Shanghai"
"""The mapping's zone; days of the book are days there."""
WEEK_DAYS: Final = 7
"""Length of the training, of the delay and of the test."""
CARDS: Final = 100
"""Cards that can be looked into on one day."""

BOOK_WEEK: Final = date(2018, 7, 25)
"""First training day of the book."""
BOOK_COUNTS: Final = {"train": 67_240, "train_frauds": 598, "test": 58_264, "test_frauds": 385}
LATER_WEEKS: Final = tuple(BOOK_WEEK + timedelta(days=7 * weeks) for weeks in (1, 2))
EARLIER_WEEKS: Final = tuple(BOOK_WEEK - timedelta(days=7 * weeks) for weeks in (8, 6, 4, 3))
"""First training days of the weeks that features and parameters were chosen on. The last of their
test days is the day before BOOK_WEEK."""

SEEDS: Final = (1, 2, 3)
OPTIONS: Final = TrainOptions(
    command="benchmark",
    # No history is ever missing here.
    augment_share=0,
    trees_max=150,
    depth=4,
    learning_rate=0.05,
    min_child_weight=3,
    subsample=0.7,
    colsample=0.5,
)
"""Chosen on EARLIER_WEEKS, see docs/adr/0012."""

_SMALLEST: Final = 0.01
"""The smallest amount that can be paid, in the unit of the book."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Week:
    """Rows of a training week and of the test week that belongs to it; positions in a data set."""

    train: Ints
    test: Ints
    test_day: Ints
    """Day of each test row, counted from the first test day."""


def first_ms(day: date) -> int:
    """Return when a day of the book begins, milliseconds since 1970 UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(ZONE)).timestamp()) * 1000


def build(file: Path, out: Path, weeks: Sequence[date], say: Callable[[str], None]) -> Dataset:
    """Build the data set of some weeks, with all history before them.

    Args:
        file: the book's transactions, one Parquet file.
        out: data set to write.
        weeks: first training days.
        say: told what is being done.

    Raises:
        SetupError: the file is missing or is not of that form.

    """
    if not file.is_file():
        raise SetupError(
            f"{file} is missing: it is the simulated set of the Fraud Detection Handbook as one "
            "Parquet file with TRANSACTION_ID, TX_DATETIME, CUSTOMER_ID, TERMINAL_ID, TX_AMOUNT "
            "and TX_FRAUD. Clone github.com/Fraud-Detection-Handbook/simulated-data-raw, join its "
            "daily files, pandas.concat(map(pandas.read_pickle, files)).to_parquet(...), and name "
            "the result with --file (or HANDBOOK=... for make)"
        )
    # Nothing later is looked at than the labels of the last test day.
    last_ms = first_ms(max(weeks)) + 4 * WEEK_DAYS * DAY_MS
    options = BuildOptions(
        "benchmark", as_of_ms=last_ms, label_delay_days=WEEK_DAYS, zone=ZONE, simulated=True
    )
    say("reading")
    whole = out.with_suffix(".whole.parquet")
    amount = pl.col("TX_AMOUNT")
    # A transfer of nothing is none to a service, and left out; the protocol counts such rows (42).
    pl.scan_parquet(file).with_columns(
        pl.when(amount == 0).then(_SMALLEST).otherwise(amount).alias("TX_AMOUNT")
    ).sink_parquet(whole)
    build_from_file(whole, MAPPING, out, options, say, skip_bad_rows=False)
    whole.unlink()
    say("loading")
    return load_dataset(out)


def week_of(time_ms: Ints, card: Ints, label: npt.NDArray[np.int8], start_ms: int) -> Week:
    """Return the rows of one training week and of its test week.

    Args:
        time_ms: sorted times, int64 (rows,).
        card: number of each row's card.
        label: 1 for fraud, int8 (rows,).
        start_ms: when the training week begins.

    """
    starts = start_ms + DAY_MS * np.arange(3 * WEEK_DAYS + 1)
    at = np.searchsorted(time_ms, starts)
    tests, days = [], []
    for day in range(WEEK_DAYS):
        rows = np.arange(at[2 * WEEK_DAYS + day], at[2 * WEEK_DAYS + day + 1])
        # Frauds since the training began that were reported, a week late, before this day.
        past = slice(at[0], at[WEEK_DAYS + day])
        rows = rows[~np.isin(card[rows], card[past][label[past] == 1])]
        tests.append(rows)
        days.append(np.full(len(rows), day))
    return Week(np.arange(at[0], at[WEEK_DAYS]), np.concatenate(tests), np.concatenate(days))


def card_precision(
    margin: npt.NDArray[np.float64], card: Ints, label: npt.NDArray[np.int8], day: Ints, cards: int
) -> float:
    """Return the mean over days of the share of compromised cards among the most suspect ones.

    The book's card precision top-k: a card's score is its highest of the day; it is compromised
    when any of its transfers of the day is fraud; one that was found leaves the days after.

    Args:
        margin: score of each row, float64 (rows,).
        card: number of each row's card.
        label: 1 for fraud.
        day: number of each row's day.
        cards: how many cards are looked into on a day.

    """
    found: set[int] = set()
    shares = []
    for number in np.unique(day):
        rows = np.flatnonzero((day == number) & ~np.isin(card, list(found)))
        distinct, which = np.unique(card[rows], return_inverse=True)
        highest = np.full(len(distinct), -np.inf)
        np.maximum.at(highest, which, margin[rows])
        compromised = np.zeros(len(distinct), np.bool_)
        np.logical_or.at(compromised, which, label[rows] == 1)
        suspect = np.argsort(-highest, kind="stable")[:cards]
        hits = distinct[suspect][compromised[suspect]]
        found.update(hits.tolist())
        shares.append(len(hits) / cards)
    return float(np.mean(shares))


def measure(
    dataset: Dataset,
    week: date,
    seeds: Iterable[int],
    progress: Callable[[int], None],
    options: TrainOptions = OPTIONS,
) -> dict[str, Any]:
    """Return counts and figures of one week: mean over the seeds, and of each seed.

    Args:
        dataset: from `build`.
        week: first training day.
        seeds: of the trainings.
        progress: told after each training which seed it was.
        options: how to train; their number of trees is grown, and their seed replaced.

    Raises:
        SetupError: the training or the test week holds no fraud.

    """
    rows = week_of(dataset.time_ms, dataset.payer, dataset.label, first_ms(week))
    train, test = (_part(dataset, chosen) for chosen in (rows.train, rows.test))
    if not train.frauds or not test.frauds:
        raise SetupError(
            f"the weeks after {week} hold {train.frauds} fraud(s) to train on and {test.frauds} to "
            "test on; give the whole file"
        )
    figures: dict[str, list[float]] = {"ap": [], "auc": [], "card_precision_at_100": []}
    for seed in seeds:
        margin = margins(_booster(train, options, seed), test.vectors)
        fraud = test.label == 1
        figures["ap"].append(float(average_precision_score(fraud, margin)))
        figures["auc"].append(float(roc_auc_score(fraud, margin)))
        figures["card_precision_at_100"].append(
            card_precision(margin, dataset.payer[rows.test], test.label, rows.test_day, CARDS)
        )
        progress(seed)
    return {
        "week": week.isoformat(),
        "train": len(train.label),
        "train_frauds": train.frauds,
        "test": len(test.label),
        "test_frauds": test.frauds,
    } | {
        name: {
            "mean": round(float(np.mean(values)), 4),
            "per_seed": [round(value, 4) for value in values],
        }
        for name, values in figures.items()
    }


def _part(dataset: Dataset, rows: Ints) -> Part:
    chosen = dataset.rows(rows)
    return Part(chosen.vectors, chosen.label, chosen.weight, chosen.fraud_type)


def check_counts(measured: dict[str, Any]) -> None:
    """Raise SetupError unless the book's week holds the book's rows."""
    wrong = [
        f"{name} {measured[name]:,} instead of {count:,}"
        for name, count in BOOK_COUNTS.items()
        if measured[name] != count
    ]
    if wrong:
        raise SetupError(
            f"the file is not the book's set: its weeks hold {', '.join(wrong)}; take the published"
            " files of simulated-data-raw, all of them and unchanged"
        )


def _booster(train: Part, options: TrainOptions, seed: int) -> xgb.Booster:
    parameters = parameters_of(options, train) | {"seed": seed}
    with one_machine() as machine:
        rows = machine.matrix([layer_of(train)])
        return machine.grow(parameters, rows, options.trees_max, lambda _done, _total: None)
