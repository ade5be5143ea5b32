"""Builds a data set from numbered transfers, whatever source they come from."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from fanzha.domain.vocabulary import ExecutionStatus
from fanzha_training.building.numbered_transfers import (
    NumberedTransfers,
    Spread,
    one_after_another,
    parts_for,
    vectors_of,
)
from fanzha_training.building.options import BuildOptions, Say, label_columns, label_counts
from fanzha_training.dataset import dataset_writer, vector_column
from fanzha_training.dataset_meta import DatasetMeta
from fanzha_training.labels import Labelled, Labels, label_transfers

_COPIED: Final = ("request_id", "time_ms", "channel", "payer_segment", "amount_minor")


@dataclass(frozen=True, slots=True)
class Source:
    """Where transfers come from."""

    name: str
    """See `DatasetMeta.source`."""
    command: str
    """What made them, and the data set."""
    simulated: bool
    repaired: dict[str, int]
    """Repairs by name, and how many rows they touched."""


def build_dataset(
    numbered: NumberedTransfers,
    source: Source,
    out: Path,
    options: BuildOptions,
    say: Say,
    spread: Spread = one_after_another,
) -> dict[str, object]:
    """Build a data set; return a summary.

    Args:
        numbered: all transfers.
        source: where they come from.
        out: file to write.
        options: how to build.
        say: told what is being done.
        spread: computes the parts where there are several.

    Raises:
        SetupError: no transfer is left, or the data set cannot be written.

    """
    as_of_ms = options.as_of_ms
    if as_of_ms is None:
        newest = numbered.frame["time_ms"].max(), numbered.outcomes["report_time_ms"].max()
        as_of_ms = max((value for value in newest if isinstance(value, int)), default=0)
    known = _until(numbered, as_of_ms)
    labels = _labels(known, as_of_ms, options)
    meta = DatasetMeta(
        source.name, source.simulated, source.command, as_of_ms, options.label_delay_days
    )
    parts = options.parts or max(options.parts_min, parts_for(len(known), known.subjects))
    with dataset_writer(out, meta) as writer:
        for rows, vectors in vectors_of(known, parts, out.parent, say, spread):
            part = known.columns(_COPIED, rows)
            writer.write(
                {
                    "request_id": part["request_id"].to_arrow(),
                    "time_ms": part["time_ms"].to_numpy(),
                    "channel": part["channel"].to_numpy(),
                    "segment": part["payer_segment"].to_numpy(),
                    "amount_minor": part["amount_minor"].to_numpy(),
                    "payer": known.subjects.payer[rows],
                    "payee": known.subjects.payee[rows],
                    "vector": vector_column(vectors),
                    **label_columns(labels.some(rows)),
                }
            )
    repaired = source.repaired | {"rows_after_as_of": len(numbered) - len(known)}
    return {
        "source": source.name,
        "simulated": source.simulated,
        "rows": len(known),
        "as_of_ms": as_of_ms,
        **label_counts(labels),
        **{name: count for name, count in repaired.items() if count},
    }


def _until(numbered: NumberedTransfers, as_of_ms: int) -> NumberedTransfers:
    # Sorted by time, so that the rows kept are still numbered from 0.
    count = int(np.searchsorted(numbered.frame["time_ms"].to_numpy(), as_of_ms, side="right"))
    # Later reports touch neither these vectors nor, by the time given to them, these labels.
    outcomes = numbered.outcomes.filter(pl.col("row") < count)
    return replace(
        numbered,
        frame=numbered.frame[:count],
        subjects=numbered.subjects.some(slice(0, count)),
        outcomes=outcomes,
    )


def _labels(numbered: NumberedTransfers, as_of_ms: int, options: BuildOptions) -> Labels:
    execution = numbered.columns(["execution"], slice(0, len(numbered)))["execution"].to_numpy()
    transfers = Labelled(
        time_ms=numbered.frame["time_ms"].to_numpy(),
        payer=numbered.subjects.payer,
        payee=numbered.subjects.payee,
        # A table does not say what held a payment back, only that the money stayed.
        unresolved=execution == ExecutionStatus.FAILED,
    )
    return label_transfers(
        transfers, numbered.outcomes, as_of_ms=as_of_ms, delay_ms=options.label_delay_ms
    )
