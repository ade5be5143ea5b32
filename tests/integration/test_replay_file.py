"""A bank's own table through a real instance: `fanzha replay-file`."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from tests.conftest import ROOT

from fanzha.commands.replay_file import replay_file
from fanzha.domain.errors import SetupError

MAPPING = ROOT / "tests" / "mappings" / "good.yaml"
HANDBOOK = ROOT.parent / "shared" / "data" / "handbook" / "transactions.parquet"
HEADER = "流水号,交易时间,业务,渠道,金额,付款账号,收款账号,行内,附言,涉诈"


def a_line(number: int, minute: int, payer: str = "6222-1", payee: str = "6217-1") -> str:
    return (
        f"{number},2026/11/22 13:{minute:02}:09,转账,4,12.34,{payer},{payee},是,房租,{number % 2}"
    )


def a_csv(folder: Path, *lines: str) -> Path:
    path = folder / "流水.csv"
    path.write_text("\n".join([HEADER, *lines]), "utf-8")
    return path


def command(*options: object) -> list[str]:
    return [sys.executable, "-m", "fanzha", "replay-file", *map(str, options)]


def run(*options: object) -> subprocess.CompletedProcess[str]:
    given = (*options, "--models", ROOT / "models")
    return subprocess.run(command(*given), capture_output=True, text=True, timeout=240, check=False)


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_replay_without_a_model_says_so(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    out = tmp_path / "decisions.parquet"

    done = subprocess.run(
        command(a_csv(tmp_path, a_line(1, 30)), "--mapping", MAPPING, "--out", out,
                "--models", tmp_path / "none"),
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "decided without a model" in done.stderr
    assert "--models" in done.stderr


def test_a_csv_with_a_bank_s_own_columns_is_scored_in_order_of_time(tmp_path: Path) -> None:
    file = a_csv(
        tmp_path,
        a_line(1, 30),
        a_line(2, 10),
        a_line(3, 20, payee="6217-2"),
        a_line(4, 20, payer="6222-1").replace("12.34", "0.1").replace("转账", "取现"),
    )
    out = tmp_path / "decisions.parquet"

    done = run(file, "--mapping", MAPPING, "--out", out, "--json")

    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["rows"] == 4
    assert sum(summary["decisions"].values()) == 4
    assert summary["decisions"]["error"] == 0
    assert summary["repaired"] == {"rows_out_of_order": 3}
    lines = pq.read_table(out).to_pylist()
    assert [line["row"] for line in lines] == [2, 3, 4, 1]
    assert [line["request_id"] for line in lines] == ["r-2", "r-3", "r-4", "r-1"]
    assert [line["label"] for line in lines] == ["0", "1", "0", "1"]
    assert lines[0]["time_ms"] == 1_795_324_209_000
    for line in lines:
        assert line["decision"] in {"allow", "confirm", "pause", "block"}
        assert len(line["decision_id"]) == 26
        assert line["policy_version"]
        assert line["error_code"] is None
    assert set(tmp_path.iterdir()) == {file, out}


def test_bad_rows_are_skipped_when_asked_and_repeated_ones_left_out(tmp_path: Path) -> None:
    file = a_csv(
        tmp_path,
        a_line(1, 10),
        a_line(2, 11).replace("6217-1", ""),
        # The request id of row 1, first with another body, then with the same.
        a_line(1, 12),
        a_line(1, 10),
    )
    out = tmp_path / "out.parquet"

    done = run(file, "--mapping", MAPPING, "--out", out, "--skip-bad-rows", "--json")

    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["rows_skipped"] == 2
    assert summary["repaired"] == {"rows_out_of_order": 1, "rows_duplicated": 1}
    assert summary["decisions"]["error"] == 0
    (line,) = pq.read_table(out).to_pylist()
    assert (line["row"], line["error_code"]) == (1, None)


@pytest.mark.skipif(not HANDBOOK.exists(), reason="the handbook set is not on this machine")
def test_the_first_day_of_the_handbook_s_card_set(tmp_path: Path) -> None:
    out = tmp_path / "decisions.parquet"

    done = run(
        HANDBOOK, "--mapping", "handbook", "--days", 1, "--limit", 3000, "--out", out, "--json"
    )

    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["rows"] == 3000
    assert summary["decisions"]["error"] == 0
    table = pq.read_table(out)
    source = pq.read_table(HANDBOOK, columns=["TRANSACTION_ID", "TX_FRAUD"]).slice(0, 3000)
    assert pc.all(pc.is_in(table["decision"], pa.array(["allow", "confirm", "pause"]))).as_py()
    assert table["label"].to_pylist() == source["TX_FRAUD"].to_pylist()
    assert table["transfer_id"][:2].to_pylist() == ["purchase-0", "purchase-1"]
    assert "TX_FRAUD_SCENARIO" not in table.column_names


def refusal(file: Path, out: Path, mapping: Path | str = MAPPING, **options: Any) -> str:
    """Return the message of a replay that must fail before it starts an instance."""
    with pytest.raises(SetupError) as failure:
        replay_file(file, str(mapping), out, **options)
    assert not out.exists()
    assert list(out.parent.glob(".*")) == []
    return str(failure.value)


def test_bad_rows_are_named_and_nothing_is_written(tmp_path: Path) -> None:
    lines = [a_line(n, 10).replace("12.34", "很多") for n in range(30)]
    file = a_csv(tmp_path, a_line(1, 10), *lines)

    message = refusal(file, tmp_path / "out.parquet")

    assert "30 row(s) cannot be read as transfers" in message
    assert "row 2: amount '很*' is not a number" in message
    assert "row 21: " in message
    assert "row 22: " not in message
    assert "and 10 more" in message
    assert "--skip-bad-rows" in message


def test_a_mapping_that_names_no_such_column_lists_those_there_are(tmp_path: Path) -> None:
    path = ROOT / "tests" / "mappings" / "no_such_column.yaml"

    message = refusal(a_csv(tmp_path, a_line(1, 10)), tmp_path / "out.parquet", path)

    assert "no_such_column.yaml:5:20: columns.amount.column: the table has no column AMT" in message
    assert "流水号, 交易时间, 业务, 渠道, 金额" in message


def test_a_truncated_parquet_file_ends_with_exit_code_1_and_its_remedy(tmp_path: Path) -> None:
    whole = tmp_path / "whole.parquet"
    pq.write_table(pa.table({"TX_AMOUNT": list(range(10_000))}), whole)
    file, out = tmp_path / "cut.parquet", tmp_path / "out.parquet"
    file.write_bytes(whole.read_bytes()[:-100])

    done = run(file, "--mapping", "handbook", "--out", out)

    assert done.returncode == 1
    assert "cut.parquet cannot be read as Parquet; it is cut off, damaged" in done.stderr
    assert "copy or export it again" in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()


def test_places_that_cannot_be_are_told_before_anything_is_done(tmp_path: Path) -> None:
    file = a_csv(tmp_path, a_line(1, 10))

    assert "choose a folder that is there" in refusal(file, tmp_path / "nowhere" / "out.parquet")
    with pytest.raises(SetupError, match="is the file to read"):
        replay_file(file, str(MAPPING), file)
    with pytest.raises(SetupError, match="is a folder"):
        replay_file(file, str(MAPPING), tmp_path)
    assert "is no folder" in refusal(file, tmp_path / "o", models=tmp_path / "no-models")
    assert "no policy file" in refusal(file, tmp_path / "o", policy=tmp_path / "no-policy")
    assert "no mapping" in refusal(file, tmp_path / "o", "no-mapping")


def test_an_instance_that_cannot_start_says_why(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\n")

    message = refusal(a_csv(tmp_path, a_line(1, 10)), tmp_path / "out.parquet", policy=policy)

    assert "the isolated instance did not start" in message
    assert "policy.yaml" in message


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_replay_that_is_ended_leaves_nothing_behind(tmp_path: Path, number: int) -> None:
    lines = [a_line(n, n // 200 % 60, payer=f"a-{n}", payee=f"b-{n}") for n in range(20_000)]
    file, out = a_csv(tmp_path, *lines), tmp_path / "out.parquet"
    process = subprocess.Popen(
        command(file, "--mapping", MAPPING, "--out", out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not children_of(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    ours = children_of(process.pid)

    os.kill(process.pid, number)
    code = process.wait(timeout=60)

    assert ours
    assert code == 128 + number
    assert list(tmp_path.iterdir()) == [file]
    assert [pid for pid in ours if Path(f"/proc/{pid}").exists()] == []
