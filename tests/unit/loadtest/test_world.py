from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tests.unit.loadtest.rows import NOON_MS, a_row

from fanzha_loadtest.world import DAY_MS, HOUR_MS, World
from fanzha_training.table import OUTCOMES, TRANSFERS


def a_report(request_id: str, outcome: str, time_ms: int) -> dict[str, Any]:
    return {
        "outcome_id": f"o-{request_id}-{outcome}",
        "request_id": request_id,
        "transfer_id": "t-1",
        "outcome": outcome,
        "fraud_type": None,
        "source": "police",
        "report_time_ms": time_ms,
        "loss_minor": None,
    }


def a_world(folder: Path, rows: list[dict[str, Any]], reports: list[dict[str, Any]]) -> World:
    pq.write_table(pa.Table.from_pylist(rows, TRANSFERS), folder / "transfers.parquet")
    pq.write_table(pa.Table.from_pylist(reports, OUTCOMES), folder / "outcomes.parquet")
    return World.read(folder)


def test_days_begin_at_midnight_in_the_banks_zone(tmp_path: Path) -> None:
    later = a_row(request_id="r-2", time_ms=NOON_MS + DAY_MS)
    world = a_world(tmp_path, [a_row(), later], [])

    first = list(world.rows(world.day_start_ms(0), world.day_start_ms(1)))

    assert world.start_ms == NOON_MS - 12 * HOUR_MS
    assert [row["request_id"] for row in first] == ["r-1"]


def test_mules_are_known_from_the_report_on_and_not_before(tmp_path: Path) -> None:
    reports = [
        a_report("r-1", "confirmed_fraud", NOON_MS + HOUR_MS),
        a_report("r-1", "mule_confirmed", NOON_MS + DAY_MS),
    ]
    world = a_world(tmp_path, [a_row()], reports)

    assert world.mules_known(NOON_MS, NOON_MS + DAY_MS) == {}
    assert world.mules_known(NOON_MS, NOON_MS + DAY_MS + 1) == {
        "6217000010012345678": NOON_MS + DAY_MS
    }


def test_billers_are_those_that_are_paid_in_the_world(tmp_path: Path) -> None:
    biller = a_row(request_id="r-2", payee_account="955330001", payee_type="biller")

    assert a_world(tmp_path, [a_row(), biller], []).billers() == ["955330001"]
