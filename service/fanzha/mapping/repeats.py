"""Numbers that tell rows apart, so that rows which come twice are found among millions.

Two different request ids get the same number once in a hundred thousand files of 20 million rows.
"""

import hashlib
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fanzha.mapping.batch import Batch
from fanzha.mapping.coded import Coded

Keys = npt.NDArray[np.uint64]

_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
_SHIFT: Final = np.uint64(29)


def keys_of(coded: Coded) -> Keys:
    """Return a number for each line's value, uint64; equal for equal values."""
    is_text = isinstance(coded.values, pa.Array)
    texts = coded.values.to_pylist() if is_text else list(map(str, coded.values))
    # Python's own hash of texts has 64 bits, and is the same within one process.
    numbers = np.fromiter(map(hash, texts), np.int64, len(texts))
    lookup = np.append(numbers, 0).view(np.uint64)
    return lookup[coded.codes]


def content_of(batch: Batch) -> Keys:
    """Return a number for all that each line says, what became of it included, its id aside."""
    keys = batch.times.ms.view(np.uint64)
    for name, coded in sorted(batch.coded.items()):
        if name != "request_id":
            keys = mixed(keys, keys_of(coded), name)
    for name, amounts in sorted(batch.amounts.items()):
        minor = np.where(amounts.known, amounts.minor, -1)
        keys = mixed(keys, minor.view(np.uint64), name)
    for name, told in (("label", batch.label), ("fraud_type", batch.fraud_type)):
        if isinstance(told, Coded):
            keys = mixed(keys, keys_of(told), name)
    return keys


def mixed(keys: Keys, more: Keys, salt: str) -> Keys:
    """Return numbers of rows that have another field.

    Args:
        keys: so far.
        more: numbers of the field's values.
        salt: the field's name, so that fields with the same value do not cancel each other.
    """
    seed = np.uint64(int.from_bytes(hashlib.blake2b(salt.encode(), digest_size=8).digest(), "big"))
    spread = (more ^ seed) * _MIX
    spread ^= spread >> _SHIFT
    return (keys ^ spread) * _MIX


class Repeats:
    """Finds rows whose request id came before."""

    def __init__(self) -> None:
        self._ids: list[Keys] = []
        self._contents: list[Keys] = []
        self._rows: list[npt.NDArray[np.int64]] = []

    def add(self, ids: Keys, contents: Keys, rows: npt.NDArray[np.int64]) -> None:
        """Take rows, in the order of the file.

        Args:
            ids: numbers of their request ids.
            contents: numbers of all that they say.
            rows: their rows in the file.
        """
        self._ids.append(ids)
        self._contents.append(contents)
        self._rows.append(rows)

    def find(self) -> "tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]":
        """Return rows that say the same again, and rows that give an id again to other content.

        The second are pairs, int64 (rows, 2): the row, and the first row with its id.
        """
        if not self._ids:
            return np.zeros(0, np.int64), np.zeros((0, 2), np.int64)
        ids, contents = np.concatenate(self._ids), np.concatenate(self._contents)
        rows = np.concatenate(self._rows)
        order = np.argsort(ids, kind="stable")
        again = np.flatnonzero(ids[order][1:] == ids[order][:-1]) + 1
        if not len(again):
            return np.zeros(0, np.int64), np.zeros((0, 2), np.int64)
        starts = np.ones(len(order), np.bool_)
        starts[again] = False
        first = np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))[again]
        here, before = order[again], order[first]
        same = contents[here] == contents[before]
        other = np.column_stack([rows[here[~same]], rows[before[~same]]])
        return np.sort(rows[here[same]]), other[np.argsort(other[:, 0])]
