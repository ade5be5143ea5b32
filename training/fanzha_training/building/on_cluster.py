"""Computes the parts of a data set on the workers of a Dask cluster.

A part holds a share of the subjects, so that all events of an account meet on one worker. The
numbered transfers are put once into the folder that all share; each worker maps them into memory
and takes the rows that touch its part. What it gives goes to the same folder, in the same form as
on one machine, and is put together in the same way: the vectors are the same, bit for bit.
"""

import os
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
from distributed import Client, as_completed

from fanzha.domain.errors import SetupError
from fanzha_training.building.numbered_transfers import (
    Named,
    NumberedTransfers,
    Spread,
    Work,
    blocks_of,
)
from fanzha_training.building.options import Say, rate
from fanzha_training.building.table_subjects import SUBJECT_COLUMNS, Subjects

_FRAME: Final = "transfers.arrow"
_REPORTS: Final = "reports.arrow"
_MULES: Final = "mules.arrow"


def on_cluster(client: Client) -> Spread:
    """Return what spreads parts over the workers of a cluster."""
    return partial(_spread, client)


def _spread(client: Client, work: Work, say: Say) -> None:
    say("putting the transfers where all workers see them")
    _put(work)
    # Absolute, for workers were started elsewhere; not pure, for the folder's name says nothing.
    task = partial(_put_aside, work.folder.absolute(), work.numbered.zone, work.parts)
    tasks = client.map(task, range(work.parts), pure=False)
    told = rate()
    count = len(work.numbered)
    try:
        for done, each in enumerate(as_completed(tasks), start=1):
            each.result()
            say(f"computed part {done} of {work.parts}{told(count * done // work.parts)}")
    finally:
        client.cancel(tasks)


def _put(work: Work) -> None:
    folder, numbered = work.folder, work.numbered
    blocks = (
        numbered.frame[rows.start : rows.stop].drop("request_id").with_columns(**numbered.constants)
        for rows in blocks_of(len(numbered))
    )
    first = next(blocks).to_arrow()
    with pa.OSFile(str(folder / _FRAME), "wb") as sink, pa.ipc.new_file(sink, first.schema) as out:
        out.write_table(first)
        for block in blocks:
            out.write_table(block.to_arrow().cast(first.schema))
    work.named.reports.write_ipc(folder / _REPORTS)
    work.named.mules.write_ipc(folder / _MULES)
    for number, subjects in enumerate(numbered.subjects.all):
        # Links that a source does not have take no room: one 0 stands for all.
        np.save(_subjects_file(folder, number), subjects if subjects.any() else subjects[:1])


def _subjects_file(folder: Path, number: int) -> Path:
    return folder / f"subjects-{number}.npy"


def _put_aside(folder: Path, zone: str, parts: int, index: int) -> None:
    """Compute one part; runs on a worker."""
    try:
        _shared(folder, zone, parts).put_aside(index)
    except OSError as error:
        raise SetupError(
            f"a worker on {os.uname().nodename} cannot use {folder} ({error.strerror or error}); "
            "put --out into a folder that all workers see by the same path, with room in it"
        ) from error


@lru_cache(maxsize=1)
def _shared(folder: Path, zone: str, parts: int) -> Work:
    """Return the work with the transfers in the folder; kept, for the next part is of the same."""
    mapped = pa.memory_map(str(folder / _FRAME))
    frame = pl.DataFrame(pl.from_arrow(pa.ipc.open_file(mapped).read_all()))
    payer, payee, *links = (
        _subjects(folder, number, len(frame)) for number in range(len(SUBJECT_COLUMNS))
    )
    # What outcomes say of accounts comes as reports; nothing else of them is needed here.
    subjects = Subjects(payer, payee, tuple(links))
    numbered = NumberedTransfers(frame, subjects, pl.DataFrame(), zone)
    named = Named(pl.read_ipc(folder / _REPORTS), pl.read_ipc(folder / _MULES))
    return Work(numbered, named, parts, folder)


def _subjects(folder: Path, number: int, count: int) -> Any:  # noqa: ANN401 - int64 (rows,)
    numbers = np.load(_subjects_file(folder, number), mmap_mode="r")
    return numbers if len(numbers) == count else np.broadcast_to(np.int64(0), count)
