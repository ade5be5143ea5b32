"""The subjects of a table's transfers: accounts, and the devices, phones and persons they share."""

import hashlib
from dataclasses import dataclass

import numpy as np
import polars as pl

from fanzha.domain.transfer import BRINGS_OWN_DEVICE
from fanzha_training.step_blocks import Ints

_COLUMN_OF_LINK = ("device_id", "payer_phone", "payer_person", "payee_phone", "payee_person")
_KIND_OF_LINK = ("device", "phone", "person", "phone", "person")


@dataclass(frozen=True, slots=True)
class Subjects:
    """Numbers of subjects, int64 (rows,), 0 for none; equal for equal names of one kind."""

    payer: Ints
    payee: Ints
    links: tuple[Ints, ...]
    """In the order of `fanzha.features.links.LINKS`."""


def subjects_of(transfers: pl.DataFrame) -> Subjects:
    """Return the subjects of transfers from `fanzha_training.table_source.read_table`."""
    payer = _numbers(transfers["payer_account"], "")
    payee = _numbers(transfers["payee_account"], "")
    links = [
        _numbers(transfers[column], f"{kind}:")
        for column, kind in zip(_COLUMN_OF_LINK, _KIND_OF_LINK, strict=True)
    ]
    own_device = np.isin(transfers["channel"].to_numpy(), [int(x) for x in BRINGS_OWN_DEVICE])
    links[0] = np.where(own_device, links[0], 0)
    # A payee without an account has no history that its phone or person could lead to.
    links[3:] = [np.where(payee != 0, number, 0) for number in links[3:]]
    return Subjects(payer, payee, tuple(links))


def _numbers(names: pl.Series, prefix: str) -> Ints:
    """Return a number for each name, 0 for null.

    It is the first 8 bytes of BLAKE2b-128, signed: stable over machines, and as unlikely to
    collide as the tokens of served accounts.
    """
    distinct = names.unique().drop_nulls()
    numbers = [
        int.from_bytes(
            hashlib.blake2b((prefix + name).encode(), digest_size=16).digest()[:8],
            "little",
            signed=True,
        )
        for name in distinct
    ]
    mapped = names.replace_strict(distinct, numbers, default=0, return_dtype=pl.Int64)
    return mapped.fill_null(0).to_numpy()
