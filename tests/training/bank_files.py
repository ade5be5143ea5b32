"""A bank's own files, and the data sets built from them."""

from pathlib import Path

from fanzha_training.building.from_file import build_from_file
from fanzha_training.building.options import BuildOptions
from fanzha_training.dataset import Dataset, load_dataset

SIMPLE = """columns:
  request_id: {column: id}
  time: {column: at, format: "%Y-%m-%d %H:%M:%S", zone: Asia/Shanghai}
  kind: {constant: transfer}
  channel: {constant: mobile}
  amount: {column: yuan, unit: yuan}
  currency: {column: cur, optional: true}
  payer_account: {column: from}
  payee_account: {column: to}
execution: posted
"""


def quiet(_stage: str) -> None:
    """Tell nobody."""


def built(
    file: Path, mapping: str, *, skip: bool = False, **given: object
) -> tuple[Dataset, dict[str, object]]:
    path = file.with_suffix(".yaml")
    path.write_text(mapping, "utf-8")
    out = file.with_suffix(".dataset.parquet")
    options = BuildOptions(command="build", **given)  # type: ignore[arg-type]
    summary = build_from_file(file, str(path), out, options, quiet, skip_bad_rows=skip)
    return load_dataset(out), summary


def a_csv(folder: Path, *lines: str, header: str = "id,at,yuan,from,to,bad") -> Path:
    path = folder / "bank.csv"
    path.write_text("\n".join([header, *lines]), "utf-8")
    return path
