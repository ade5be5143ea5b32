"""Steps of links in a table: which accounts were seen with a device, a phone or a person.

A link learns of an account at its first transfer, that it is a mule's when a report says so, and
that it is none when no report of it stands any more.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final

import numpy as np
import polars as pl

from fanzha.domain.outcomes import Question
from fanzha.domain.transfer import LINKS_OF_PAYER
from fanzha.features.fold import READ_LINK
from fanzha.features.layout import REPORT_EVENTS, Change
from fanzha_training.building.step_blocks import EVENT, READ, REPORTED, Block, Ints, block
from fanzha_training.building.table_subjects import Subjects

_COLUMNS: Final = pl.Schema(
    {
        "account": pl.Int64,
        "row": pl.Int64,
        "happened": pl.Int64,
        "known": pl.Int64,
        "since": pl.Int64,
        "change": pl.Int64,
    }
)


def mules_of(reports: pl.DataFrame, time: Ints, subjects: Subjects) -> pl.DataFrame:
    """Return what becomes known of accounts as mules', with columns as below, by account and time.

    Each line says since when (ms, `since`) an account is known as a mule's, from `known` (ms) on; 0
    for no longer. Where nothing is taken back that is one line, of the report known first.

    Args:
        reports: from `fanzha_training.outcomes.reports_of`.
        time: of the transfers, milliseconds since 1970 UTC.
        subjects: of the transfers.

    """
    named = _by_account(reports, time, subjects)
    mules = named.filter("of_mule")
    shaky = mules.filter(~pl.col("names"))["account"].unique()
    is_shaky = pl.col("account").is_in(shaky.implode())
    steady = (
        mules.filter(~is_shaky)
        .unique("account", keep="first", maintain_order=True)
        .with_columns(since="known", change=pl.lit(int(Change.TAINT)))
    )
    rows = named.filter(is_shaky).iter_rows(named=True)
    turned = [
        line for _, group in groupby(rows, key=lambda row: row["account"]) for line in _turns(group)
    ]
    return pl.concat(
        [steady.select(list(_COLUMNS)).cast(_COLUMNS), pl.DataFrame(turned, _COLUMNS)]
    ).sort("account", "known", maintain_order=True)


def _by_account(reports: pl.DataFrame, time: Ints, subjects: Subjects) -> pl.DataFrame:
    """Return reports and retractions of both roles in the order in which accounts take them."""
    row = reports["row"].to_numpy()
    of_mule = reports["question"].to_numpy() == Question.PAYEE_MULE
    return (
        reports.select(
            pl.Series("account", np.where(of_mule, subjects.payee[row], subjects.payer[row])),
            "row",
            pl.Series("happened", time[row]),
            pl.col("known_ms").alias("known"),
            "names",
            pl.Series("of_mule", of_mule),
        )
        .filter(pl.col("account") != 0)
        .sort("account", "known", "row", "of_mule")
    )


def _turns(told: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield what one account's links are told, as the store tells them.

    It remembers since when the account is known; after a retraction, by the reports of its ring.
    """
    ring: list[tuple[int, bool, int]] = []
    since = 0
    for one in told:
        ring = [held for held in ring if held[:2] != (one["row"], one["of_mule"])]
        if one["names"]:
            ring = [(one["row"], one["of_mule"], one["known"]), *ring][:REPORT_EVENTS]
        if not one["of_mule"]:
            continue
        before = since
        if one["names"]:
            since = min(since or one["known"], one["known"])
        else:
            since = min((known for _, of_mule, known in ring if of_mule), default=0)
        if since != before:
            change = Change.TAINT if one["names"] else Change.CLEAR
            yield {name: one.get(name) for name in _COLUMNS} | {
                "since": since,
                "change": int(change),
            }


def link_blocks(time: Ints, subjects: Subjects, mules: pl.DataFrame) -> list[Block]:
    """Return reads, sightings, taints and clearings of all links.

    Args:
        time: of the transfers, in order, milliseconds since 1970 UTC.
        subjects: of the transfers.
        mules: from `mules_of`.

    """
    blocks = []
    seen = []
    for link, number in enumerate(subjects.links):
        row = np.flatnonzero(number)
        account = (subjects.payer if link < LINKS_OF_PAYER else subjects.payee)[row]
        blocks.append(block(number[row], time[row], READ, READ_LINK, row, (link, 0, 0, 0, 0)))
        seen.append(pl.DataFrame({"link": number[row], "account": account, "first": row}))
    pairs = (
        pl.concat(seen)
        .sort("first")
        .unique(["link", "account"], keep="first", maintain_order=True)
        .with_row_index("pair")
    )
    first = pairs["first"].to_numpy()
    sighted = time[first]
    told = pairs.with_columns(sighted=pl.Series(sighted)).join(mules, on="account")
    before = np.zeros(len(pairs), np.int64)
    # Of what was known before the link saw the account, the last counts; lines come by time.
    known = told.filter(pl.col("known") < pl.col("sighted")).sort("pair", "known")
    before[known["pair"].to_numpy()] = known["since"].to_numpy()
    columns = (first, sighted, before, pairs["account"].to_numpy(), 0)
    blocks.append(block(pairs["link"].to_numpy(), sighted, EVENT, Change.SIGHTING, first, columns))
    later = told.filter(pl.col("known") >= pl.col("sighted")).sort("pair", "known")
    row, step, since = (later[name].to_numpy() for name in ("row", "change", "since"))
    columns = (row, later["happened"].to_numpy(), since, later["account"].to_numpy(), 0)
    moment = later["known"].to_numpy()
    blocks.append(block(later["link"].to_numpy(), moment, REPORTED, step, row, columns))
    return blocks
