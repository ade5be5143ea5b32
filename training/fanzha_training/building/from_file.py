"""Builds a data set from a bank's own file and its mapping, cut by time."""

from pathlib import Path

from fanzha_training.building.data_set import Source, build_dataset
from fanzha_training.building.file_source import read_file
from fanzha_training.building.numbered_transfers import Spread, one_after_another
from fanzha_training.building.options import BuildOptions, Say


def build_from_file(
    file: Path,
    mapping: str,
    out: Path,
    options: BuildOptions,
    say: Say,
    spread: Spread = one_after_another,
    *,
    skip_bad_rows: bool,
) -> dict[str, object]:
    """Build a data set from a CSV or Parquet file with any column names; return a summary.

    Raises:
        SetupError: the file or its mapping cannot be used, or the data set cannot be written.

    """
    numbered, repaired = read_file(file, mapping, options, say, skip_bad_rows=skip_bad_rows)
    simulated = bool(options.simulated)
    source = Source("file", options.command, simulated, repaired)
    return build_dataset(numbered, source, out, options, say, spread)
