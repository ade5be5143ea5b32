"""Steps of links in a table: which accounts were seen with a device, a phone or a person.

A link learns of an account at its first transfer, and that it is a mule's when a report says so.
"""

import numpy as np
import polars as pl

from fanzha.domain.transfer import LINKS_OF_PAYER
from fanzha.domain.vocabulary import OutcomeType
from fanzha.features.fold import READ_LINK
from fanzha.features.layout import Change
from fanzha_training.building.step_blocks import EVENT, READ, REPORTED, Block, Ints, block
from fanzha_training.building.table_subjects import Subjects

_MULE_OUTCOMES = (OutcomeType.CONFIRMED_FRAUD, OutcomeType.MULE_CONFIRMED)


def mules_of(outcomes: pl.DataFrame, time: Ints, payee: Ints) -> pl.DataFrame:
    """Return the accounts that reports name as mules': account, row, happened, known (ms).

    One line for each, of the report that was known first.
    """
    named = outcomes.filter(pl.col("outcome").is_in([int(kind) for kind in _MULE_OUTCOMES]))
    row = named["row"].to_numpy()
    return (
        pl.DataFrame(
            {
                "account": payee[row],
                "row": row,
                "happened": time[row],
                "known": named["report_time_ms"].to_numpy(),
            }
        )
        .filter(pl.col("account") != 0)
        .sort("known", "row")
        .unique("account", keep="first", maintain_order=True)
    )


def link_blocks(time: Ints, subjects: Subjects, mules: pl.DataFrame) -> list[Block]:
    """Return reads, sightings and taints of all links.

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
        .join(mules, on="account", how="left", maintain_order="left")
    )
    first = pairs["first"].to_numpy()
    known = pairs["known"].fill_null(0).to_numpy()
    sighted = time[first]
    before = np.where(known < sighted, known, 0)
    columns = (first, sighted, before, pairs["account"].to_numpy(), 0)
    blocks.append(block(pairs["link"].to_numpy(), sighted, EVENT, Change.SIGHTING, first, columns))
    later = pairs.filter(pl.Series((known > 0) & (before == 0)))
    known = later["known"].to_numpy()
    row = later["row"].to_numpy()
    columns = (row, later["happened"].to_numpy(), known, later["account"].to_numpy(), 0)
    blocks.append(block(later["link"].to_numpy(), known, REPORTED, Change.TAINT, row, columns))
    return blocks
