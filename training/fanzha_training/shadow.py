"""Compares a shadow model with the one that decided, on what both said about the same transfers."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from fanzha.archive.log import ArchiveFile, ArchiveLog, files_of, read_error
from fanzha.archive.schema import KIND_DECISION
from fanzha.domain.errors import SetupError
from fanzha.domain.vocabulary import DecisionKind, word_of
from fanzha_training.building.from_archive import build_from_archive
from fanzha_training.building.options import BuildOptions
from fanzha_training.dataset import DAY_MS
from fanzha_training.evaluate import iso_time
from fanzha_training.metrics import Scored, at_budget
from fanzha_training.thresholds import decisions_by_score

BUDGETS_PER_1000: Final = (0.5, 1.0, 5.0)
"""Alerts for each 1,000 transfers."""

_COLUMNS: Final = (
    "record_id",
    "kind",
    "decision_id",
    "create_time_ms",
    "channel",
    "payer_segment",
    "margin",
    "points",
    "model_version",
)
_SHADOW_COLUMNS: Final = ("shadow_version", "shadow_margin", "shadow_points")
_EXAMPLES: Final = 10


def read_scores(archive: Path) -> pl.DataFrame:
    """Return every decision with what champion and shadow said; null where one said nothing.

    Raises:
        SetupError: there is no archive, or a file of it cannot be read.

    """
    log, files = files_of(archive)
    rows = pl.concat([_part(log, file) for file in files], how="diagonal")
    rows = rows.filter(pl.col("kind") == KIND_DECISION, pl.col("decision_id").is_not_null())
    absent = [name for name in _SHADOW_COLUMNS if name not in rows.columns]
    rows = rows.with_columns(pl.lit(None).alias(name) for name in absent)
    return rows.unique("decision_id", keep="first").sort("create_time_ms", "decision_id")


def _part(log: ArchiveLog, file: ArchiveFile) -> pl.DataFrame:
    try:
        part = log.parquet(file)
        there = part.schema_arrow.names
        missing = [name for name in _COLUMNS if name not in there]
        if missing:
            raise SetupError(
                f"{log.full_path(file)} has no column {', '.join(missing)}; "
                "it was written by another version"
            )
        # Days from before shadows lack their columns.
        names = [*_COLUMNS, *(name for name in _SHADOW_COLUMNS if name in there)]
        return pl.DataFrame(pl.from_arrow(part.read(columns=names)))
    except (OSError, pa.ArrowException) as error:
        raise read_error(log, file, error) from error


def read_labels(archive: Path, label_delay_days: float, say: Callable[[str], None]) -> pl.DataFrame:
    """Return decision_id, label, amount_minor and fraud_type of transfers with mature labels.

    Labels are those that a data set of the archive has; where an archive gives none, there is none.

    Raises:
        SetupError: the archive cannot be used.

    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "dataset.parquet"
        options = BuildOptions(
            command="fanzha-training shadow-report",
            label_delay_days=label_delay_days,
            allow_differences=True,
        )
        built: dict[str, Any] = build_from_archive(archive, file, options, say)
        mature_ms = built["as_of_ms"] - round(label_delay_days * DAY_MS)
        names = ["decision_id", "time_ms", "label", "amount_minor", "fraud_type"]
        labelled = pl.read_parquet(file, columns=names)
    mature = pl.col("label").is_not_null() & (pl.col("time_ms") <= mature_ms)
    return labelled.filter(mature).with_columns(pl.col("fraud_type").fill_null(0))


def compare_shadow(scores: pl.DataFrame, labels: pl.DataFrame, policy: Path) -> dict[str, Any]:
    """Return the report: one comparison for each pair of champion and shadow, by first decision.

    Raises:
        SetupError: no decision has a shadow's score.
        FileRefusedError: the policy has faults.

    """
    both = scores.filter(
        *(pl.col(name).is_not_null() for name in (*_SHADOW_COLUMNS, "margin", "points"))
    )
    if both.is_empty():
        raise SetupError(
            "no decision of the archive has a shadow's score beside the champion's; name a shadow "
            "with fanzha models shadow, and archive what was served since"
        )
    pairs = both.partition_by("model_version", "shadow_version", maintain_order=True)
    return {
        "decisions": len(scores),
        "without_both_scores": len(scores) - len(both),
        "comparisons": [_comparison(pair, labels, policy) for pair in pairs],
    }


def _comparison(pair: pl.DataFrame, labels: pl.DataFrame, policy: Path) -> dict[str, Any]:
    first = pair.row(0, named=True)
    channel, segment = (_codes(pair[name].fill_null(0)) for name in ("channel", "payer_segment"))
    decided = {
        role: decisions_by_score(_codes(pair[column]), channel, segment, policy)
        for role, column in (("champion", "points"), ("shadow", "shadow_points"))
    }
    difference = _codes(pair["shadow_points"]) - _codes(pair["points"])
    return {
        "champion": first["model_version"],
        "shadow": first["shadow_version"],
        "from": iso_time(first["create_time_ms"]),
        "until": iso_time(pair["create_time_ms"].item(-1)),
        "decisions": len(pair),
        "rank_correlation": _rank_correlation(pair),
        "points_difference": {
            "median": float(np.median(difference)),
            "largest": int(np.abs(difference).max()),
        },
        "alert_rate": {role: _alert_rate(kinds) for role, kinds in decided.items()},
        "agreement": float((decided["champion"] == decided["shadow"]).mean()),
        "changes": _changes(**decided),
        "examples": _examples(pair, decided["champion"], decided["shadow"], difference),
        "matured": _matured(pair.join(labels, on="decision_id", how="inner")),
    }


def _codes(column: pl.Series) -> npt.NDArray[np.int64]:
    return column.cast(pl.Int64).to_numpy()


def _rank_correlation(pair: pl.DataFrame) -> float | None:
    """Return Spearman's coefficient of the margins, None where one model says always the same."""
    found = pair.select(pl.corr("margin", "shadow_margin", method="spearman")).item()
    return None if found is None or np.isnan(found) else float(found)


def _alert_rate(kinds: npt.NDArray[np.int64]) -> dict[str, float]:
    """Return the share of transfers that the score alone would confirm at least, and pause."""
    return {
        "confirm": float((kinds >= int(DecisionKind.CONFIRM)).mean()),
        "pause": float((kinds >= int(DecisionKind.PAUSE)).mean()),
    }


def _changes(champion: npt.NDArray[np.int64], shadow: npt.NDArray[np.int64]) -> dict[str, int]:
    """Return how many decisions by score would be another one, by old and new."""
    changed = champion != shadow
    pairs, counts = np.unique(
        np.stack([champion[changed], shadow[changed]], axis=1), axis=0, return_counts=True
    )
    return {
        f"{word_of(DecisionKind(old))} to {word_of(DecisionKind(new))}": int(count)
        for (old, new), count in zip(pairs.tolist(), counts.tolist(), strict=True)
    }


def _examples(
    pair: pl.DataFrame,
    champion: npt.NDArray[np.int64],
    shadow: npt.NDArray[np.int64],
    difference: npt.NDArray[np.int64],
) -> list[dict[str, Any]]:
    changed = np.flatnonzero(champion != shadow)
    most = changed[np.argsort(-np.abs(difference[changed]), kind="stable")][:_EXAMPLES]
    return [
        {
            "decision_id": row["decision_id"],
            "time": iso_time(row["create_time_ms"]),
            "champion": word_of(DecisionKind(int(champion[at]))),
            "champion_points": row["points"],
            "shadow": word_of(DecisionKind(int(shadow[at]))),
            "shadow_points": row["shadow_points"],
        }
        for at in most.tolist()
        for row in (pair.row(at, named=True),)
    ]


def _matured(labelled: pl.DataFrame) -> dict[str, Any] | None:
    """Return what both find at alert budgets, None without frauds among mature labels."""
    fraud = labelled["label"] == 1
    if not fraud.any() or fraud.all() or labelled.filter(fraud)["amount_minor"].sum() == 0:
        return None
    found = {
        role: Scored(
            margin=labelled[column].to_numpy(),
            # Budgets go by the order of margins alone.
            probability=np.full(len(labelled), np.nan),
            label=labelled["label"].cast(pl.Int8).to_numpy(),
            amount_minor=labelled["amount_minor"].to_numpy(),
            fraud_type=labelled["fraud_type"].cast(pl.Int8).to_numpy(),
        )
        for role, column in (("champion", "margin"), ("shadow", "shadow_margin"))
    }
    return {
        "transfers": len(labelled),
        "frauds": int(fraud.sum()),
        "at_budgets": {
            f"{budget:g}": {role: at_budget(scored, budget) for role, scored in found.items()}
            for budget in BUDGETS_PER_1000
        },
    }
