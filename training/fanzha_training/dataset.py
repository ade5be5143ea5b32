"""The data set that models learn from: one row for each transfer, with its vector and its label.

It is one Parquet file, sorted by time, that says in its metadata where it comes from.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from fanzha.domain.errors import SetupError
from fanzha.domain.model import Head
from fanzha.features.manifest import FEATURES
from fanzha_training.atomic import replaced_file
from fanzha_training.dataset_checks import (
    LABELS,
    check_columns,
    check_ids,
    check_values,
    checked_column,
    checked_vectors,
    opened,
)
from fanzha_training.dataset_meta import DatasetMeta, read_meta
from fanzha_training.vectors import AnyVectors, Vectors, batches_of

UNLABELLED: Final = -1
"""Label in arrays of a row that is neither known as fraud nor as legitimate; null in the file."""

DAY_MS: Final = 86_400_000
GROUP_ROWS: Final = 1 << 17

_FIELDS: "Final[list[pa.Field[Any]]]" = [
    pa.field("request_id", pa.string(), nullable=False),
    pa.field("decision_id", pa.string()),
    pa.field("time_ms", pa.int64(), nullable=False),
    pa.field("channel", pa.int8(), nullable=False),
    pa.field("segment", pa.int8(), nullable=False),
    pa.field("amount_minor", pa.int64(), nullable=False),
    pa.field("payer", pa.int64(), nullable=False),
    pa.field("payee", pa.int64(), nullable=False),
    pa.field("decision", pa.int8()),
    pa.field("label", pa.int8()),
    pa.field("label_known_ms", pa.int64()),
    pa.field("fraud_type", pa.int8()),
    pa.field("payee_mule", pa.int8()),
    pa.field("payee_mule_known_ms", pa.int64()),
    pa.field("payer_mule", pa.int8()),
    pa.field("payer_mule_known_ms", pa.int64()),
    pa.field("weight", pa.float32()),
    pa.field("vector", pa.list_(pa.float32(), len(FEATURES)), nullable=False),
    pa.field("margin", pa.float64()),
    pa.field("points", pa.int16()),
    pa.field("model_version", pa.string()),
]
SCHEMA: Final = pa.schema(_FIELDS)
"""`channel`, `segment`, `decision` and `fraud_type` are numbers of the vocabularies. `payer` and
`payee` number the accounts: equal within a data set where the accounts are, 0 for no payee.

`label` says whether the payer was deceived: 1 for fraud, 0 for legitimate, null for unknown.
`payee_mule` and `payer_mule` say the same of the accounts: 1 for a mule's, 0 for none, null for
unknown; `..._known_ms` is since when that is known. `weight` is how much `label` counts when
models learn, above 0 to 1, null for 1. `margin`, `points` and `model_version` are what was
served."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set; all arrays have one entry a row, sorted by time.

    `label`, `payee_mule` and `payer_mule` are int8: 1, 0 or UNLABELLED; `..._known_ms` is int64,
    meaningless where unlabelled. `stored_vectors` is float32 of shape (rows, features), in memory
    or, where there are many, in the file.
    """

    time_ms: npt.NDArray[np.int64]
    amount_minor: npt.NDArray[np.int64]
    payer: npt.NDArray[np.int64]
    payee: npt.NDArray[np.int64]
    decision: npt.NDArray[np.int8]
    """0 where none was served."""
    label: npt.NDArray[np.int8]
    label_known_ms: npt.NDArray[np.int64]
    fraud_type: npt.NDArray[np.int8]
    payee_mule: npt.NDArray[np.int8]
    payee_mule_known_ms: npt.NDArray[np.int64]
    payer_mule: npt.NDArray[np.int8]
    payer_mule_known_ms: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float32]
    channel: npt.NDArray[np.int8]
    segment: npt.NDArray[np.int8]
    stored_vectors: AnyVectors
    meta: DatasetMeta
    repaired: dict[str, int] = field(default_factory=dict)
    """Repairs made while loading, and how many rows they touched."""
    features_without_values: tuple[str, ...] = ()
    """Features that have one value in all rows of the file, or none."""

    @property
    def vectors(self) -> Vectors:
        """All vectors in memory: 0.5 KiB a row, so ask for them of chosen rows only."""
        return np.asarray(self.stored_vectors)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.time_ms)

    def rows(self, chosen: npt.NDArray[Any]) -> "Dataset":
        """Return the rows that a mask or an array of positions names."""
        arrays = {name: getattr(self, name)[chosen] for name in _ARRAYS}
        return replace(self, **arrays)

    def for_head(self, head: Head) -> "Dataset":
        """Return the data set with the labels of one of a model's heads in place of `label`."""
        if head is Head.VICTIM:
            return self
        return replace(
            self,
            label=getattr(self, head.value),
            label_known_ms=getattr(self, f"{head.value}_known_ms"),
            # Of accounts only what is decided is a label, so that all of them count alike.
            weight=np.ones_like(self.weight),
        )

    def fingerprint(self) -> str:
        """Return a hash, 32 hexadecimal digits, of all rows as models see them."""
        digest = hashlib.blake2b(self.meta.feature_hash.encode(), digest_size=16)
        for name in _ARRAYS:
            if name != _VECTORS:
                digest.update(np.ascontiguousarray(getattr(self, name)).data)
        for vectors in batches_of(self.stored_vectors):
            digest.update(np.ascontiguousarray(vectors).data)
        return digest.hexdigest()


_VECTORS: Final = "stored_vectors"
_ARRAYS = tuple(
    name
    for name in Dataset.__dataclass_fields__
    if name not in {"meta", "repaired", "features_without_values"}
)

_OF_NULL: Final = dict.fromkeys(LABELS, UNLABELLED) | {"weight": 1}
"""What nulls stand for in arrays; 0 where nothing is said here."""


def vector_column(vectors: npt.NDArray[np.float32]) -> "pa.Array[Any]":
    """Return float32 (rows, features) as a column of the data set."""
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1), pa.float32())
    return pa.FixedSizeListArray.from_arrays(flat, len(FEATURES))


class DatasetWriter:
    """Writes a data set some rows at a time; see `dataset_writer`."""

    def __init__(self, draft: Path, meta: DatasetMeta) -> None:
        """Open the file.

        Args:
            draft: where to write.
            meta: where the data set comes from.

        """
        self._schema = SCHEMA.with_metadata(meta.as_metadata())
        self._writer = pq.ParquetWriter(draft, self._schema, compression="zstd")
        self.rows = 0

    def write(self, columns: dict[str, Any]) -> None:
        """Write rows.

        Args:
            columns: one array for each column of SCHEMA, sorted by time; left-out ones are null.

        """
        count = len(columns["time_ms"])
        arrays = [
            pa.array(columns[name], column.type)
            if name in columns
            else pa.nulls(count, column.type)
            for name, column in zip(SCHEMA.names, SCHEMA, strict=True)
        ]
        table = pa.Table.from_arrays(arrays, schema=self._schema)
        self._writer.write_table(table, row_group_size=GROUP_ROWS)
        self.rows += count

    def close(self) -> None:
        """Write the file's end."""
        self._writer.close()


@contextmanager
def dataset_writer(path: Path, meta: DatasetMeta) -> Iterator[DatasetWriter]:
    """Yield a writer of a data set; nothing of it is seen before all of it is there.

    Args:
        path: file to write.
        meta: where the data set comes from.

    Raises:
        SetupError: no rows were written, or something in the block cannot be written.

    """
    with replaced_file(path, "choose another folder with --out") as draft:
        writer = DatasetWriter(draft, meta)
        try:
            yield writer
        finally:
            writer.close()
        if not writer.rows:
            raise SetupError(
                "no transfer is left for the data set; check the input and the options"
            )


def write_dataset(path: Path, columns: dict[str, Any], meta: DatasetMeta) -> None:
    """Write a data set in one step; see `DatasetWriter.write` and `dataset_writer`."""
    with dataset_writer(path, meta) as writer:
        writer.write(columns)


ROWS_IN_MEMORY: Final = 1 << 21
"""Of a data set with more rows the vectors stay in its file: they take 0.5 KiB each."""


def load_dataset(path: Path, rows_in_memory: int = ROWS_IN_MEMORY) -> Dataset:
    """Read a data set and check that it can be learned from.

    Rows out of order are sorted, and counted as `rows_sorted`; labels that are said to have been
    known before their transfers count from these on, and are counted as `labels_before_transfer`.

    Args:
        path: the file.
        rows_in_memory: with more rows, vectors are read when they are needed.

    Raises:
        SetupError: the file is no data set, is damaged, was made with other features, is empty,
            holds a transfer twice, or holds values that no transfer has.

    """
    with opened(path) as file:
        try:
            meta = read_meta(path, file.schema_arrow.metadata)
            check_columns(path, file.schema_arrow, SCHEMA)
            if file.metadata.num_rows == 0:
                raise SetupError(f"{path} has no rows; build it from at least one transfer")
            check_ids(path, file)
            arrays = {
                name: checked_column(path, file, SCHEMA.field(name), _OF_NULL.get(name, 0))
                for name in _ARRAYS
                if name != _VECTORS
            }
            repaired = check_values(path, arrays, meta.as_of_ms)
            vectors, same = checked_vectors(path, file, rows_in_memory)
        except (OSError, pa.ArrowException) as error:
            raise SetupError(
                f"{path} is damaged: {error}; restore it, or build it again"
            ) from error
    dataset = Dataset(
        **arrays, stored_vectors=vectors, meta=meta, repaired=repaired, features_without_values=same
    )
    late = int((np.diff(dataset.time_ms) < 0).sum())
    if late:
        dataset = dataset.rows(np.argsort(dataset.time_ms, kind="stable"))
        dataset.repaired["rows_sorted"] = late
    return dataset
