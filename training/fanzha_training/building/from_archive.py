"""Builds a data set from what was served: stored facts, vectors and scores, labelled by outcomes.

Every vector is computed again from the archived changes and compared with the one that was served:
bit for bit the same, or something between service and training is wrong.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from fanzha.domain.errors import SetupError
from fanzha_training.building.archive_outcomes import by_row, held_back
from fanzha_training.building.archive_source import Decisions, read_archive
from fanzha_training.building.options import BuildOptions, Say, label_columns, label_counts
from fanzha_training.dataset import vector_column, write_dataset
from fanzha_training.dataset_meta import DatasetMeta
from fanzha_training.labels import Labelled, label_transfers
from fanzha_training.skew import compare


def build_from_archive(
    folder: Path, out: Path, options: BuildOptions, say: Say
) -> dict[str, object]:
    """Build a data set from `day=*/part-*.parquet`; return a summary.

    Raises:
        SetupError: the archive cannot be used, vectors differ and that is not allowed, or the data
            set cannot be written.

    """
    say("reading the archive")
    archive = read_archive(folder)
    say("computing the vectors again")
    found = compare(archive)
    replay, differences = found.replay, len(found.differing)
    if differences and not options.allow_differences:
        example = found.decision_id(found.differing[0])
        raise SetupError(
            f"{differences} of {int(replay.whole.sum())} served vector(s) differ from those that "
            f"the archived changes give, the first of decision {example}; see which with "
            "fanzha-training skew, find out why (another version of the features, or a fault in "
            "the service), or use the served ones with --allow-differences"
        )

    say("labelling")
    decisions = archive.decisions.frame
    # Arrivals say nothing about the clock of the events, so "newest" is of event times.
    as_of_ms = options.as_of_ms
    if as_of_ms is None:
        newest = decisions["create_time_ms"].max(), archive.outcomes["report_time_ms"].max()
        as_of_ms = max(value for value in newest if isinstance(value, int))
    time_ms = decisions["create_time_ms"].to_numpy()
    outcomes = by_row(archive.outcomes, decisions)
    payer, payee = archive.decisions.payer + 1, archive.decisions.payee + 1
    labels = label_transfers(
        Labelled(time_ms, payer, payee, unresolved=held_back(decisions, archive.executions)),
        outcomes,
        as_of_ms=as_of_ms,
        delay_ms=options.label_delay_ms,
    )
    known = time_ms <= as_of_ms
    kept = replay.whole & known
    labels = labels.some(kept)

    say("writing the data set")
    simulated = bool(options.simulated)
    meta = DatasetMeta(
        "archive", simulated, options.command, as_of_ms, options.label_delay_days
    )  # fmt: skip
    write_dataset(out, {**_columns(archive.decisions, kept), **label_columns(labels)}, meta)
    counts = {
        **archive.dropped,
        "outcomes_unmatched": len(archive.outcomes) - len(outcomes),
        "rows_after_as_of": int((~known).sum()),
        "subjects_with_gaps": replay.subjects_with_gaps,
        "decisions_after_gap": int((~replay.whole).sum()),
    }
    return {
        "source": "archive",
        "simulated": simulated,
        "rows": int(kept.sum()),
        "as_of_ms": as_of_ms,
        "vectors_compared": int(replay.whole.sum()),
        "vector_differences": differences,
        **label_counts(labels),
        **{name: count for name, count in counts.items() if count},
    }


def _columns(decisions: Decisions, kept: npt.NDArray[np.bool_]) -> dict[str, object]:
    frame = decisions.frame.filter(pl.Series(kept))
    names = ("request_id", "decision_id", "margin", "points", "model_version")
    return {
        **{name: frame[name].to_arrow() for name in names},
        "time_ms": frame["create_time_ms"].to_numpy(),
        "channel": frame["channel"].fill_null(0).to_numpy(),
        "segment": frame["payer_segment"].fill_null(0).to_numpy(),
        "amount_minor": frame["base_amount_minor"].to_numpy(),
        # Codes from 0, -1 for none, become numbers from 1.
        "payer": decisions.payer[kept] + 1,
        "payee": decisions.payee[kept] + 1,
        "decision": frame["decision"].to_numpy(),
        "vector": vector_column(decisions.vectors[kept]),
    }
