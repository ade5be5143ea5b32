"""Reads a table of transfers and outcomes, checks it, and turns its words into numbers.

Faults of a whole column refuse the table; faults of single rows are repaired, and counted by name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

import polars as pl

from fanzha.domain.errors import SetupError
from fanzha.domain.transfer import AMOUNT_MINOR_MAX, SESSION_FLAGS
from fanzha.domain.vocabulary import (
    Channel,
    CustomerSegment,
    ExecutionStatus,
    FraudType,
    NameMatch,
    OutcomeSource,
    OutcomeType,
    PartyType,
    TransferKind,
    TransferSpeed,
    words_of,
)
from fanzha_training.outcomes import OUTCOME_COLUMNS
from fanzha_training.table import OUTCOMES_FILE, TRANSFERS_FILE

_TEXTS: Final = (
    "request_id",
    "currency",
    "payer_account",
    "payer_phone",
    "payer_person",
    "payee_account",
    "payee_phone",
    "payee_person",
    "device_id",
)
_NUMBERS: Final = ("time_ms", "amount_minor", "balance_before_minor", "execution_time_ms")
FLAGS: Final = (
    "payer_dual_recording_done",
    "payer_anti_fraud_app",
    "payee_dual_recording_done",
    "payee_same_owner",
    "payee_same_bank",
    *SESSION_FLAGS,
)
DATES: Final = ("payer_open_date", "payee_open_date")
CODES: Final[dict[str, type[IntEnum]]] = {
    "kind": TransferKind,
    "channel": Channel,
    "speed": TransferSpeed,
    "payer_type": PartyType,
    "payer_segment": CustomerSegment,
    "payer_open_channel": Channel,
    "payee_type": PartyType,
    "payee_segment": CustomerSegment,
    "payee_open_channel": Channel,
    "payee_name_match": NameMatch,
    "execution": ExecutionStatus,
}
_OUTCOME_TEXTS: Final = ("outcome_id", "request_id")
_OUTCOME_CODES: Final[dict[str, type[IntEnum]]] = {
    "outcome": OutcomeType,
    "source": OutcomeSource,
    "fraud_type": FraudType,
}

_TRANSFER_TYPES: Final = {
    **dict.fromkeys(_TEXTS, pl.String),
    **dict.fromkeys(_NUMBERS, pl.Int64),
    **dict.fromkeys(FLAGS, pl.Boolean),
    **dict.fromkeys(DATES, pl.Date),
}
_OUTCOME_TYPES: Final = {
    **dict.fromkeys(_OUTCOME_TEXTS, pl.String),
    "report_time_ms": pl.Int64,
    "withdrawn_time_ms": pl.Int64,
}
_OPTIONAL: Final = ("source", "withdrawn_time_ms")
"""Columns of outcomes that a table may lack: the bank itself says so, and took nothing back."""


@dataclass(frozen=True, slots=True)
class Table:
    """A checked table. Codes are int8, 0 where the table has null.

    `transfers` is sorted by (time_ms, request_id) and has a column `row` that numbers them from 0;
    `outcomes` has a column `row` with the transfer that each belongs to.
    """

    transfers: pl.DataFrame
    outcomes: pl.DataFrame
    repaired: dict[str, int]
    """Repairs by name, and how many rows they touched."""


def read_table(folder: Path, currency: str) -> Table:
    """Read `transfers.parquet` and `outcomes.parquet` of a folder.

    Args:
        folder: the table.
        currency: ISO 4217 code of the base currency; transfers in others are left out, and counted.

    Raises:
        SetupError: a file is missing or damaged, columns are missing or of another type, a word is
            in no vocabulary, or no transfer is left.

    """
    transfers = _read(folder / TRANSFERS_FILE, _TRANSFER_TYPES, CODES)
    outcomes = _read(folder / OUTCOMES_FILE, _OUTCOME_TYPES, _OUTCOME_CODES)
    repaired: dict[str, int] = {}

    valid = (
        pl.col("request_id").is_not_null()
        & pl.col("payer_account").is_not_null()
        & (pl.col("time_ms") >= 0)
        & pl.col("amount_minor").is_between(1, AMOUNT_MINOR_MAX)
        & (pl.col("kind") > 0)
        & (pl.col("channel") > 0)
    )
    transfers = _kept(transfers, valid, repaired, "rows_invalid")
    transfers = _kept(transfers, pl.col("currency") == currency, repaired, "rows_other_currency")
    before = len(transfers)
    repaired["rows_out_of_order"] = transfers.select(
        (pl.col("time_ms").diff() < 0).sum()
    ).item()  # fmt: skip
    repeated = transfers.filter(pl.col("request_id").is_duplicated())
    repaired["rows_contradicting"] = len(repeated.unique()) - repeated["request_id"].n_unique()
    transfers = transfers.unique("request_id", keep="first", maintain_order=True)
    repaired["rows_duplicated"] = before - len(transfers) - repaired["rows_contradicting"]
    if transfers.is_empty():
        raise SetupError(
            f"{folder / TRANSFERS_FILE} has no valid transfer in {currency}; it needs rows with "
            "request_id, payer_account, kind, channel, time_ms and a positive amount_minor"
        )
    early = pl.col("execution_time_ms") < pl.col("time_ms")
    repaired["executions_before_transfer"] = transfers.select(early.sum()).item()
    transfers = (
        transfers.sort("time_ms", "request_id")
        .with_columns(
            execution_time_ms=pl.when(pl.col("execution_time_ms").is_not_null()).then(
                pl.max_horizontal("execution_time_ms", "time_ms")
            )
        )
        .with_row_index("row")
        .with_columns(pl.col("row").cast(pl.Int64))
    )
    return Table(transfers, _matched(outcomes, transfers, repaired), repaired)


def _matched(
    outcomes: pl.DataFrame, transfers: pl.DataFrame, repaired: dict[str, int]
) -> pl.DataFrame:
    valid = (pl.col("report_time_ms") >= 0) & (pl.col("outcome") > 0)
    outcomes = _kept(outcomes, valid, repaired, "outcomes_invalid")
    before = len(outcomes)
    outcomes = outcomes.unique("outcome_id", keep="first", maintain_order=True)
    repaired["outcomes_duplicated"] = before - len(outcomes)
    before = len(outcomes)
    outcomes = outcomes.join(
        transfers.select("request_id", "row", "time_ms"), on="request_id", maintain_order="left"
    )
    repaired["outcomes_unmatched"] = before - len(outcomes)
    early = pl.col("report_time_ms") < pl.col("time_ms")
    repaired["reports_before_transfer"] = outcomes.select(early.sum()).item()
    # What nobody else is named for, the bank itself says.
    stated_by = pl.when(pl.col("source") == 0).then(int(OutcomeSource.BANK_REVIEW))
    return outcomes.select(
        **{name: pl.col(name) for name in OUTCOME_COLUMNS}
        | {
            "source": stated_by.otherwise("source"),
            "report_time_ms": pl.max_horizontal("report_time_ms", "time_ms"),
        }
    ).cast(OUTCOME_COLUMNS)


def _kept(
    frame: pl.DataFrame, condition: pl.Expr, repaired: dict[str, int], name: str
) -> pl.DataFrame:
    kept = frame.filter(condition)
    repaired[name] = len(frame) - len(kept)
    return kept


def _read(
    file: Path,
    types: dict[str, type[pl.DataType]],
    codes: dict[str, type[IntEnum]],
) -> pl.DataFrame:
    try:
        present = pl.read_parquet_schema(file)
        wanted = [*types, *codes]
        missing = [name for name in wanted if name not in present and name not in _OPTIONAL]
        if missing:
            raise SetupError(
                f"{file} has no column {', '.join(missing)}; a table of transfers needs every "
                "column, with null for what is not known"
            )
        frame = pl.read_parquet(file, columns=[name for name in wanted if name in present])
    except (OSError, pl.exceptions.PolarsError) as error:
        raise SetupError(
            f"{file} cannot be read: {error}; a table is a folder with {TRANSFERS_FILE} and "
            f"{OUTCOMES_FILE}, as fanzha-training simulate writes it"
        ) from error
    absent = [name for name in wanted if name not in present]
    frame = frame.with_columns(pl.lit(None).alias(name) for name in absent)
    for name, kind in types.items():
        try:
            given = frame[name]
            frame = frame.with_columns(pl.col(name).cast(kind))
            # A cast drops fractions in silence; yuan would pass for fen.
            if given.dtype.is_float() and (frame[name] != given).any():
                raise pl.exceptions.InvalidOperationError("fractions")
        except pl.exceptions.PolarsError as error:
            raise SetupError(
                f"{file}: column {name} is {present[name]} with values that are no "
                f"{kind.__name__}; write it as {kind.__name__}"
            ) from error
    return frame.with_columns(
        _numbered(file, frame[name], vocabulary) for name, vocabulary in codes.items()
    )


def _numbered(file: Path, words: pl.Series, vocabulary: type[IntEnum]) -> pl.Series:
    numbers = {word: int(member) for word, member in words_of(vocabulary).items()}
    texts = words.cast(pl.String)
    unknown: Sequence[str] = sorted(set(texts.drop_nulls().unique()) - set(numbers))
    if unknown:
        raise SetupError(
            f"{file}: column {words.name} holds {', '.join(map(repr, unknown[:5]))}; "
            f"known are {', '.join(numbers)}, and null"
        )
    coded = texts.replace_strict(numbers, default=0, return_dtype=pl.Int8)
    return coded.fill_null(0).alias(words.name)
