"""Counts honest payments with the marks of fraud beside the fraudulent ones."""

from typing import Final

import polars as pl

from fanzha_training.simulate.describe.scene import FRAUD, HONEST, Scene
from fanzha_training.simulate.period import HOUR_MS

_LARGE_YUAN: Final = 5_000
_SETTLED_DAYS: Final = 7
"""In the first week everybody is new to everybody."""
_HEAD: Final = ("mark", "honest", "victims", "share of fraud", "at the true rate")


def head(scene: Scene) -> tuple[str, ...]:
    """Return the table's head; the last column only where there is more than the true rate."""
    return _HEAD if scene.simulation.parameters.over_sampling > 1 else _HEAD[:-1]


def look_alikes(scene: Scene) -> list[list[str]]:
    """Return for each mark how many honest payments and how many of victims bear it.

    The last column is the share of fraud that the mark would have without over-sampling.
    """
    over_sampling = max(1.0, scene.simulation.parameters.over_sampling)
    columns = len(head(scene))
    rows = []
    for name, marked in _marks(scene).items():
        honest = len(marked.filter(pl.col("party") == HONEST))
        fraud = len(marked.filter(pl.col("party") == FRAUD))
        shares = (_share(fraud, honest), _share(fraud / over_sampling, honest))
        row = [name, f"{honest:,}", f"{fraud:,}", *(f"{share:.2%}" for share in shares)]
        rows.append(row[:columns])
    return rows


def _share(fraud: float, honest: int) -> float:
    return fraud / (fraud + honest) if fraud + honest else 0.0


def _marks(scene: Scene) -> dict[str, pl.DataFrame]:
    ours = scene.transfers.filter(pl.col("payer_open_date").is_not_null())
    large = ours.filter(pl.col("yuan") >= _LARGE_YUAN)
    first = ours.filter(pl.col("kind") == "transfer").unique(
        ["payer_account", "payee_account"], keep="first", maintain_order=True
    )
    settled = first.filter(pl.col("day") >= _SETTLED_DAYS)
    person = settled.filter(pl.col("payee_type") == "person")
    return {
        "call in progress": ours.filter("call_in_progress"),
        "screen shared": ours.filter("screen_shared"),
        "new device": ours.filter("new_device"),
        "limit just raised": ours.filter("limit_just_raised"),
        "5,000 yuan or more": large,
        "5,000 yuan or more, call in progress": large.filter("call_in_progress"),
        "first payment to a payee": settled,
        "first payment to a person, 5,000 yuan or more": person.filter(
            pl.col("yuan") >= _LARGE_YUAN
        ),
        "between midnight and 5": ours.filter(pl.col("hour") < 5),
        "most of the balance, 2,000 yuan or more": ours.filter(
            pl.col("amount_minor") >= 0.8 * pl.col("balance_before_minor"), pl.col("yuan") >= 2_000
        ),
        "half of a loan or more, within the hour": _after(ours, scene, "loan_payout"),
        "half of a broken deposit or more, within the hour": _after(ours, scene, "deposit_break"),
        "cash, 5,000 yuan or more": large.filter(pl.col("kind") == "cash_withdrawal"),
        "gold, 5,000 yuan or more": large.filter(pl.col("kind") == "gold_purchase"),
    }


def _after(ours: pl.DataFrame, scene: Scene, kind: str) -> pl.DataFrame:
    """Return payments of at least half of what a loan or a deposit brought within the hour."""
    came_in = (
        scene.transfers.filter(pl.col("kind") == kind)
        .select(payer_account="payee_account", time_ms="time_ms", in_ms="time_ms", in_yuan="yuan")
        .sort("time_ms")
    )
    out = ours.filter(pl.col("kind").is_in(["transfer", "cash_withdrawal", "gold_purchase"]))
    joined = out.join_asof(
        came_in, on="time_ms", by="payer_account", strategy="backward", check_sortedness=False
    )
    return joined.filter(
        pl.col("time_ms") - pl.col("in_ms") <= HOUR_MS, pl.col("yuan") >= 0.5 * pl.col("in_yuan")
    )
