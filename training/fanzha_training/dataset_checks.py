"""What a data set must hold before a model may learn from it: refused with a cause, or mended.

A mended row is counted by the name of its repair. What cannot be mended without guessing is
refused: a model that learned from it would be bad in silence.
"""

from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from fanzha.domain.errors import SetupError
from fanzha.domain.transfer import AMOUNT_MINOR_MAX
from fanzha.domain.vocabulary import Channel, CustomerSegment, DecisionKind, FraudType
from fanzha.features.manifest import FEATURE_NAMES, FEATURES
from fanzha_training.vectors import VECTOR_COLUMN, AnyVectors, array_of, stored_vectors

Arrays = dict[str, npt.NDArray[Any]]
Mask = npt.NDArray[np.bool_]

LABELS: Final = ("label", "payee_mule", "payer_mule")
_KNOWN_MS: Final = {name: f"{name}_known_ms" for name in LABELS}
_CODES: Final[dict[str, type[IntEnum]]] = {
    "channel": Channel,
    "segment": CustomerSegment,
    "decision": DecisionKind,
    "fraud_type": FraudType,
}
_IDS: Final = ["request_id", "decision_id"]


def check_columns(path: Path, found: pa.Schema, wanted: pa.Schema) -> None:
    """Refuse a file that lacks columns or has some of another type.

    Raises:
        SetupError: it does.

    """
    missing = [name for name in wanted.names if name not in found.names]
    if missing:
        raise SetupError(
            f"{path} is no data set: it has no column {', '.join(missing)}; make it with "
            "fanzha-training build"
        )
    wrong = [
        f"{name} is {found.field(name).type} and must be {wanted.field(name).type}"
        for name in wanted.names
        if found.field(name).type != wanted.field(name).type
    ]
    if wrong:
        raise SetupError(f"{path} has columns of other types: {'; '.join(wrong)}; build it again")


def check_values(path: Path, arrays: Arrays, as_of_ms: int) -> dict[str, int]:
    """Refuse values that no transfer has; mend times of labels; return the repairs.

    Args:
        path: of the data set, for messages.
        arrays: its columns without ids and vectors, nulls replaced; times of labels are changed.
        as_of_ms: what the data set says of its labels: none became known later.

    Raises:
        SetupError: a value is out of its range.

    """
    time_ms, amount, weight = arrays["time_ms"], arrays["amount_minor"], arrays["weight"]
    _refuse(path, time_ms < 0, "a time before 1970")
    _refuse(path, time_ms > as_of_ms, "a time later than the data set's own as-of time")
    _refuse(
        path, (amount < 1) | (amount > AMOUNT_MINOR_MAX),
        f"an amount that is not 1 to {AMOUNT_MINOR_MAX} minor units",
    )  # fmt: skip
    _refuse(path, ~((weight > 0) & (weight <= 1)), "a weight that is not above 0 and at most 1")
    for name, vocabulary in _CODES.items():
        known = [int(member) for member in vocabulary]
        _refuse(path, ~np.isin(arrays[name], known), f"a {name} that is in no vocabulary")
    early = 0
    for name, known_name in _KNOWN_MS.items():
        label, known_ms = arrays[name], arrays[known_name]
        _refuse(path, ~np.isin(label, (-1, 0, 1)), f"values of {name} other than 0, 1 and null")
        labelled = label >= 0
        _refuse(path, labelled & (known_ms == 0), f"a {name} without {known_name}")
        _refuse(
            path, labelled & (known_ms > as_of_ms),
            f"a {name} that became known later than the data set's own as-of time",
        )  # fmt: skip
        before = labelled & (known_ms < time_ms)
        if before.any():
            early += int(before.sum())
            arrays[known_name] = np.where(before, time_ms, known_ms)
    return {"labels_before_transfer": early} if early else {}


def _refuse(path: Path, wrong: Mask, what: str) -> None:
    if wrong.any():
        first = int(np.argmax(wrong))
        _give_up(path, int(wrong.sum()), f"{what} (the first is row {first + 1})")


def _give_up(path: Path, count: int, what: str) -> NoReturn:
    raise SetupError(f"{path}: {count:,} row(s) have {what}; mend the source and build it again")


def check_ids(path: Path, file: Any) -> None:  # noqa: ANN401 - pyarrow carries no annotations
    """Refuse a file that holds a transfer twice, also at different times.

    Ids are compared by hashes first, so that millions of them need 8 bytes each.

    Raises:
        SetupError: it does.

    """
    hashed = np.concatenate([frame.hash_rows().to_numpy() for frame in _ids(file)])
    ordered = np.sort(hashed)
    suspected = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not len(suspected):
        return
    same = pl.concat(
        frame.filter(pl.Series(np.isin(frame.hash_rows().to_numpy(), suspected)))
        for frame in _ids(file)
    )
    twice = len(same) - same.n_unique()
    if twice:
        example = same.filter(same.is_duplicated())["request_id"][0]
        raise SetupError(
            f"{path} holds {twice:,} transfer(s) twice, such as {example!r}; build it again"
        )


def _ids(file: Any) -> Iterator[pl.DataFrame]:  # noqa: ANN401
    for group in range(file.num_row_groups):
        yield pl.DataFrame(pl.from_arrow(file.read_row_group(group, columns=_IDS)))


def checked_column(path: Path, file: Any, field: "pa.Field[Any]", of_null: int) -> Any:  # noqa: ANN401
    """Return a column as an array.

    Args:
        path: of the data set, for messages.
        file: opened.
        field: which column.
        of_null: what nulls become.

    Raises:
        SetupError: there are nulls and must be none.

    """
    column = file.read(columns=[field.name]).column(0)
    _refuse_nulls(path, field, column)
    return pl.Series(pl.from_arrow(column)).fill_null(of_null).to_numpy()


def _refuse_nulls(path: Path, field: "pa.Field[Any]", column: Any) -> None:  # noqa: ANN401
    if column.null_count and not field.nullable:
        _give_up(path, column.null_count, f"no {field.name}")


def checked_vectors(
    path: Path,
    file: Any,  # noqa: ANN401
    rows_in_memory: int,
) -> tuple[AnyVectors, tuple[str, ...]]:
    """Return the vectors, and the names of the features with one value everywhere or none.

    Args:
        path: of the data set.
        file: opened.
        rows_in_memory: with more rows, the vectors stay in the file.

    Raises:
        SetupError: vectors hold infinities, or nothing at all.

    """
    count = file.metadata.num_rows
    kept = None if count > rows_in_memory else np.empty((count, len(FEATURES)), np.float32)
    least = np.full(len(FEATURES), np.nan, np.float32)
    most = least.copy()
    start = infinite = empty = 0
    for group in range(file.num_row_groups):
        column = file.read_row_group(group, columns=[VECTOR_COLUMN]).column(0)
        if column.null_count:
            _give_up(path, column.null_count, "no vector")
        vectors = array_of(column)
        infinite += int(np.isinf(vectors).any(axis=1).sum())
        empty += int(np.isnan(vectors).all(axis=1).sum())
        least = np.fmin(least, np.fmin.reduce(vectors, axis=0))
        most = np.fmax(most, np.fmax.reduce(vectors, axis=0))
        if kept is not None:
            kept[start : start + len(vectors)] = vectors
            start += len(vectors)
    if infinite:
        _give_up(path, infinite, "infinities in their vectors; unknown values must be NaN")
    if empty:
        _give_up(path, empty, "vectors of nothing but NaN")
    same = (~(least < most)).tolist()
    names = tuple(name for name, each in zip(FEATURE_NAMES, same, strict=True) if each)
    return (stored_vectors(path, count) if kept is None else kept), names


def opened(path: Path) -> Any:  # noqa: ANN401
    """Open a Parquet file.

    Raises:
        SetupError: it cannot be read as one.

    """
    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise SetupError(
            f"{path} cannot be read as Parquet: {error}; make it with fanzha-training build"
        ) from error
