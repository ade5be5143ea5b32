"""The subjects of a table's transfers: accounts, and the devices, phones and persons they share."""

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from fanzha.domain.transfer import BRINGS_OWN_DEVICE
from fanzha_training.building.step_blocks import Ints

_PREFIXES: Final = {
    "payer_account": "",
    "payee_account": "",
    "device_id": "device:",
    "payer_phone": "phone:",
    "payer_person": "person:",
    "payee_phone": "phone:",
    "payee_person": "person:",
}
SUBJECT_COLUMNS: Final = tuple(_PREFIXES)
"""Columns that name subjects, in the order of `Subjects.all`."""


@dataclass(frozen=True, slots=True)
class Subjects:
    """Numbers of subjects, int64 (rows,), 0 for none; equal for equal names of one kind."""

    payer: Ints
    payee: Ints
    links: tuple[Ints, ...]
    """In the order of `fanzha.features.links.LINKS`."""

    @property
    def all(self) -> tuple[Ints, ...]:
        """Payers, payees, and each link."""
        return (self.payer, self.payee, *self.links)

    def some(self, rows: Ints | slice) -> "Subjects":
        """Return the subjects of some transfers."""
        payer, payee, *links = (numbers[rows] for numbers in self.all)
        return Subjects(payer, payee, tuple(links))


def subjects_of(transfers: pl.DataFrame) -> Subjects:
    """Return the subjects of transfers that have SUBJECT_COLUMNS and `channel`."""
    numbers = {name: subject_numbers(name, transfers[name]) for name in SUBJECT_COLUMNS}
    return linked(numbers, transfers["channel"].to_numpy())


def linked(numbers: dict[str, Ints], channel: "npt.NDArray[np.int8]") -> Subjects:
    """Return the subjects of transfers.

    Args:
        numbers: of each column of SUBJECT_COLUMNS.
        channel: numbers of the channels.

    """
    payer, payee, *links = (numbers[name] for name in SUBJECT_COLUMNS)
    own_device = np.isin(channel, [int(x) for x in BRINGS_OWN_DEVICE])
    # Links that a source does not have take no memory: one 0 stands for all.
    if links[0].any():
        links[0] = np.where(own_device, links[0], 0)
    # A payee without an account has no history that its phone or person could lead to.
    links[3:] = [
        np.where(payee != 0, number, 0) if number.any() else number for number in links[3:]
    ]
    return Subjects(payer, payee, tuple(links))


def subject_numbers(column: str, names: pl.Series) -> Ints:
    """Return a number for each name of a column of SUBJECT_COLUMNS, 0 for null.

    It is the first 8 bytes of BLAKE2b-128, signed: stable over machines, and as unlikely to
    collide as the tokens of served accounts.
    """
    distinct = names.unique().drop_nulls()
    numbers = [subject_number(column, name) for name in distinct]
    mapped = names.replace_strict(distinct, numbers, default=0, return_dtype=pl.Int64)
    return mapped.fill_null(0).to_numpy()


def subject_number(column: str, name: str) -> int:
    """Return the number of one name of a column of SUBJECT_COLUMNS."""
    text = _PREFIXES[column] + name
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little", signed=True)
