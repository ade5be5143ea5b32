"""Vectors of an archive, as served and as training gets them."""

from pathlib import Path

import numpy as np
import polars as pl

from fanzha_training.building.archive_source import read_archive
from fanzha_training.skew import compare


def recompute_vectors(folder: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return (decision ids, vectors recomputed, vectors served) of the decisions compared."""
    found = compare(read_archive(folder))
    whole = found.replay.whole
    ids = found.archive.decisions.frame["decision_id"].filter(pl.Series(whole)).to_list()
    return ids, found.recomputed[whole], found.archive.decisions.vectors[whole]
