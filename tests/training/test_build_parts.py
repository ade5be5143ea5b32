"""Data sets of many rows: built part by part, on disks that may be full."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.conftest import ROOT
from tests.training.bank_files import SIMPLE, quiet
from tests.training.streams import START_MS, random_rows, write_table

from fanzha.domain.errors import SetupError
from fanzha_training.building.from_file import build_from_file
from fanzha_training.building.from_table import build_from_table
from fanzha_training.building.numbered_transfers import ROWS_PER_PART, parts_for
from fanzha_training.building.options import BuildOptions
from fanzha_training.building.table_subjects import SUBJECT_COLUMNS, Subjects
from fanzha_training.dataset import load_dataset

HANDBOOK = ROOT.parent / "shared" / "data" / "handbook" / "transactions.parquet"
LINK_COLUMNS = SUBJECT_COLUMNS[2:]


@pytest.mark.parametrize("parts", [2, 7, 140])
def test_many_parts_give_the_vectors_of_one(tmp_path: Path, parts: int) -> None:
    transfers, outcomes = random_rows(12, 900)
    table = write_table(tmp_path / "table", transfers, outcomes)
    for name, count in (("one", 1), ("many", parts)):
        options = BuildOptions(command="build", parts=count)
        build_from_table(table, tmp_path / f"{name}.parquet", options, quiet)

    one, many = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("one", "many"))

    assert load_dataset(tmp_path / "one.parquet").vectors.tobytes() == (
        load_dataset(tmp_path / "many.parquet").vectors.tobytes()
    )
    assert one.drop(["vector"]).equals(many.drop(["vector"]))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


LIMITED = """
import resource, sys
from pathlib import Path
from fanzha.domain.errors import SetupError
from fanzha_training.building.from_table import build_from_table
from fanzha_training.building.options import BuildOptions
folder, out, parts = sys.argv[1:]
# The writes beyond it fail, as they do on a full disk.
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    options = BuildOptions(command="", parts=int(parts))
    build_from_table(Path(folder), Path(out), options, lambda stage: None)
except SetupError as error:
    print(error)
"""


@pytest.mark.parametrize("parts", [1, 3])
def test_what_cannot_be_written_is_told_and_nothing_of_it_remains(
    tmp_path: Path, parts: int
) -> None:
    table = write_table(tmp_path / "table", *random_rows(12, 900))
    out = tmp_path / "out" / "d.parquet"
    words = [sys.executable, "-c", LIMITED, str(table), str(out), str(parts)]

    done = subprocess.run(words, capture_output=True, text=True, check=True)

    assert done.stdout.startswith(f"{out} cannot be written to (")
    assert "File too large" in done.stdout
    remedy = f"make room in {out.parent} and allow writing there, or choose another folder with "
    assert done.stdout.endswith(f"; {remedy}--out\n")
    assert done.stderr == ""
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize("name", ["file/d.parquet", "table"])
def test_places_that_no_file_can_have_are_refused(tmp_path: Path, name: str) -> None:
    table = write_table(tmp_path / "table", *random_rows(12, 50))
    (tmp_path / "file").write_text("taken")

    with pytest.raises(SetupError, match="cannot be written to"):
        build_from_table(table, tmp_path / name, BuildOptions(command="build"), quiet)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "table"]


@pytest.mark.skipif(not HANDBOOK.exists(), reason="the handbook set is not on this machine")
def test_many_parts_give_the_vectors_of_one_on_the_handbook_s_set(tmp_path: Path) -> None:
    some = pq.read_table(HANDBOOK).slice(0, 150_000)
    pq.write_table(some, tmp_path / "some.parquet")
    vectors = []
    for parts in (1, 5):
        out = tmp_path / f"{parts}.parquet"
        options = BuildOptions(command="build", parts=parts)
        build_from_file(
            tmp_path / "some.parquet", "handbook", out, options, quiet, skip_bad_rows=False
        )
        vectors.append(load_dataset(out).vectors.tobytes())

    assert vectors[0] == vectors[1]


@pytest.mark.parametrize("kinds", [2, 7])
def test_parts_are_small_however_many_subjects_a_transfer_touches(kinds: int) -> None:
    count = 20_000_000
    some, none = (np.broadcast_to(np.int64(number), count) for number in (1, 0))
    payer, payee, *links = [some] * kinds + [none] * (7 - kinds)

    parts = parts_for(count, Subjects(payer, payee, tuple(links)))

    assert ROWS_PER_PART * 0.9 < count * (1 - (1 - 1 / parts) ** kinds) <= ROWS_PER_PART
    assert parts_for(2_000_000, Subjects(payer, payee, tuple(links))) == 1


MEASURED = """
import re, resource, sys
from pathlib import Path
from fanzha_training.building.from_file import build_from_file
from fanzha_training.building.options import BuildOptions
file, mapping, out, parts = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
build_from_file(Path(file), mapping, Path(out), BuildOptions(command="", parts=int(parts)),
                lambda stage: None, skip_bad_rows=False)
print(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def test_memory_follows_the_part_and_not_the_file(tmp_path: Path) -> None:
    count = 200_000
    rng = np.random.default_rng(3)
    numbers = {
        "from": rng.integers(0, 20_000, count),
        "to": rng.integers(20_000, 60_000, count),
        **{name: rng.integers(0, 30_000, count) for name in LINK_COLUMNS},
    }
    plain = {
        "id": np.arange(count),
        "at": START_MS + np.arange(count) * 1000,
        "fen": rng.integers(1, 10**6, count),
    }
    pq.write_table(pa.table(plain | numbers), tmp_path / "bank.parquet")
    mapping = tmp_path / "m.yaml"
    text = SIMPLE.replace("yuan, unit: yuan", "fen, unit: fen").replace(
        'format: "%Y-%m-%d %H:%M:%S", zone: Asia/Shanghai', "format: epoch_ms"
    )
    links = "".join(f"  {name}: {{column: {name}}}\n" for name in LINK_COLUMNS)
    mapping.write_text(text.replace("execution", links + "execution"), "utf-8")
    peak_kib = {}
    for parts in (1, 64):
        out = tmp_path / f"{parts}.parquet"
        words = [tmp_path / "bank.parquet", mapping, out, parts]
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, *map(str, words)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        peak_kib[parts] = json.loads(done.stdout)

    whole, parted = (load_dataset(tmp_path / f"{parts}.parquet") for parts in (1, 64))
    assert whole.vectors.tobytes() == parted.vectors.tobytes()
    # One part needs more for all rows at once, many parts need it for fewer rows.
    assert peak_kib[64] < peak_kib[1] - count // 2
