"""Reads the archive of a service: decisions as served, and every change of every subject's state.

Only the columns that training needs are read. Records that were archived twice are dropped.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from fanzha.archive.log import files_of, read_error
from fanzha.archive.schema import (
    KIND_DECISION,
    KIND_EXECUTION,
    SCHEMA,
)
from fanzha.domain.errors import SetupError
from fanzha.features.facts import FACTS
from fanzha.features.layout import RING_COLUMNS
from fanzha.features.links import LINKS
from fanzha.features.manifest import FEATURES
from fanzha_training.building.archive_outcomes import outcomes_of
from fanzha_training.building.chains import CONTINUES

Ints = npt.NDArray[np.int64]

_COLUMNS: Final = (
    "record_id",
    "kind",
    "account",
    "seq",
    "previous_seq",
    "change",
    "change_columns",
    "decision_id",
    "request_id",
    "payee",
    "create_time_ms",
    "channel",
    "payer_segment",
    "base_amount_minor",
    "decision",
    "points",
    "margin",
    "model_version",
    "payer_seq",
    "payee_seq",
    "links",
    "link_seqs",
    "facts",
    "vector",
    "execution_status",
    "outcome_id",
    "outcome_source",
    "outcome_type",
    "fraud_type",
    "report_time_ms",
)

_NEW: Final = frozenset({"previous_seq"})
"""Columns that archives of earlier versions lack; null says the same."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decisions as served, one entry each, sorted by (time, decision id).

    `facts` is int64 (rows, len(FACTS)), `vectors` float32 (rows, len(FEATURES)); `payer` and
    `payee` are subject codes; a sequence of -1 says that the side was not read. `links` and
    `link_seqs` are the same, of shape (rows, links).
    """

    frame: pl.DataFrame
    """request_id, decision_id, create_time_ms, channel, payer_segment, base_amount_minor, decision,
    points, margin, model_version."""
    facts: Ints
    vectors: npt.NDArray[np.float32]
    payer: Ints
    payee: Ints
    payer_seq: Ints
    payee_seq: Ints
    links: Ints
    link_seqs: Ints


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of subjects' states, one entry each, in no order; `columns` is int64 (changes, 5)."""

    subject: Ints
    seq: Ints
    change: Ints
    columns: Ints
    before: Ints
    """The sequence that each follows; `fanzha_training.building.chains.CONTINUES` for one less."""


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive in memory. Subjects are codes from 0, -1 for none."""

    decisions: Decisions
    changes: Changes
    executions: pl.DataFrame
    """decision_id, execution_status."""
    outcomes: pl.DataFrame
    """See `fanzha_training.building.archive_outcomes.outcomes_of`."""
    dropped: dict[str, int]
    """Rows left out, by cause."""


def read_archive(folder: Path | str) -> Archive:
    """Read all files of an archive, given by its folder or s3:// URL.

    Raises:
        SetupError: there is no such file, one is damaged or lacks columns, or no decision was
            served with this code's features.

    """
    rows = _rows(folder)
    dropped = {}
    count = len(rows)
    rows = rows.unique("record_id", keep="first", maintain_order=True)
    dropped["records_duplicated"] = count - len(rows)

    decisions = rows.filter(pl.col("kind") == KIND_DECISION)
    fits = (
        (pl.col("facts").list.len() == len(FACTS))
        & (pl.col("vector").list.len() == len(FEATURES))
        & (pl.col("links").list.len() == len(LINKS))
        & (pl.col("link_seqs").list.len() == len(LINKS))
        & pl.col("account").is_not_null()
        & pl.col("request_id").is_not_null()
        & pl.col("create_time_ms").is_not_null()
        & pl.col("base_amount_minor").is_not_null()
    )
    fitting = decisions.filter(fits)
    dropped["decisions_unusable"] = len(decisions) - len(fitting)
    usable = fitting.unique("decision_id", keep="first", maintain_order=True)
    dropped["decisions_duplicated"] = len(fitting) - len(usable)
    if usable.is_empty():
        raise SetupError(
            f"{folder} holds {len(decisions)} decision(s) and none with {len(FEATURES)} features "
            "and its facts; archive decisions that were served by this version"
        )
    usable = usable.sort("create_time_ms", "decision_id")

    changed = rows.filter(pl.col("seq").is_not_null() & pl.col("change").is_not_null())
    whole = changed.filter(
        pl.col("account").is_not_null() & (pl.col("change_columns").list.len() == RING_COLUMNS)
    )
    dropped["changes_unusable"] = len(changed) - len(whole)

    tokens_of_links = usable["links"].explode(empty_as_null=False)
    payer, payee, links, subject = _codes(
        usable["account"], usable["payee"], tokens_of_links, whole["account"]
    )
    return Archive(
        decisions=Decisions(
            frame=usable.drop("facts", "vector", "change_columns", "links", "link_seqs"),
            facts=_matrix(usable["facts"], len(FACTS)),
            vectors=_matrix(usable["vector"], len(FEATURES)),
            payer=payer,
            payee=payee,
            payer_seq=usable["payer_seq"].fill_null(-1).to_numpy(),
            payee_seq=usable["payee_seq"].fill_null(-1).to_numpy(),
            links=links.reshape(len(usable), len(LINKS)),
            link_seqs=_matrix(usable["link_seqs"], len(LINKS)),
        ),
        changes=Changes(
            subject=subject,
            seq=whole["seq"].to_numpy(),
            change=whole["change"].cast(pl.Int64).to_numpy(),
            columns=_matrix(whole["change_columns"], RING_COLUMNS),
            before=whole["previous_seq"].fill_null(CONTINUES).to_numpy(),
        ),
        executions=rows.filter(pl.col("kind") == KIND_EXECUTION).select(
            "decision_id", "execution_status"
        ),
        outcomes=outcomes_of(rows),
        dropped=dropped,
    )


def _rows(folder: Path | str) -> pl.DataFrame:
    log, files = files_of(folder)
    wanted = pa.schema([SCHEMA.field(name) for name in _COLUMNS])
    tables = []
    for file in files:
        try:
            # One file at a time: the folder's name must not become a column.
            part = log.parquet(file)
            there = part.schema_arrow.names
            missing = [name for name in _COLUMNS if name not in there and name not in _NEW]
            if missing:
                raise SetupError(
                    f"{log.full_path(file)} has no column {', '.join(missing)}; "
                    "it was written by another version"
                )
            table = part.read(columns=[name for name in _COLUMNS if name in there])
            for name in _NEW.difference(there):
                table = table.append_column(wanted.field(name), pa.nulls(len(table), pa.int64()))
            tables.append(table.select(list(_COLUMNS)).cast(wanted))
        except (OSError, pa.ArrowException) as error:
            raise read_error(log, file, error) from error
    return pl.DataFrame(pl.from_arrow(pa.concat_tables(tables)))


def _codes(*columns: pl.Series) -> tuple[Ints, ...]:
    """Return tokens as codes from 0 in the order of their coming, -1 for null."""
    tokens = pl.concat([column.rename("token").cast(pl.Binary) for column in columns])
    distinct = tokens.drop_nulls().unique(maintain_order=True).to_frame().with_row_index("code")
    joined = tokens.to_frame().join(distinct, on="token", how="left", maintain_order="left")
    codes = joined["code"].cast(pl.Int64).fill_null(-1).to_numpy()
    ends = np.cumsum([len(column) for column in columns])[:-1]
    return tuple(np.split(codes, ends))


def _matrix(lists: pl.Series, width: int) -> npt.NDArray[Any]:
    """Return a column of lists of one length as an array of shape (rows, width)."""
    flat = lists.explode(empty_as_null=False).to_numpy() if len(lists) else lists.to_numpy()
    return np.ascontiguousarray(flat.reshape(len(lists), width))
