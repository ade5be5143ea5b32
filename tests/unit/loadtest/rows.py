"""Rows of transfers.parquet as the simulator writes them."""

from datetime import date
from typing import Any

NOON_MS = 1_788_235_200_000


def a_row(**columns: Any) -> dict[str, Any]:
    """Return a row with all columns of the table, those of the truth included."""
    row = {
        "request_id": "r-1",
        "transfer_id": "t-1",
        "time_ms": NOON_MS,
        "kind": "transfer",
        "channel": "mobile",
        "speed": "real_time",
        "amount_minor": 12_345,
        "currency": "CNY",
        "payer_account": "6222020200112233445",
        "payer_person": "p-00000001",
        "payer_phone": "10000000001",
        "payer_type": "person",
        "payer_segment": "retired",
        "payer_open_date": date(2015, 3, 1),
        "payer_open_channel": "counter",
        "payer_dual_recording_done": True,
        "payer_anti_fraud_app": False,
        "payee_account": "6217000010012345678",
        "payee_person": None,
        "payee_phone": None,
        "payee_type": "company",
        "payee_segment": None,
        "payee_open_date": None,
        "payee_open_channel": None,
        "payee_dual_recording_done": None,
        "payee_same_owner": False,
        "payee_same_bank": None,
        "payee_name_match": "match",
        "device_id": "d-7",
        "call_in_progress": True,
        "screen_shared": False,
        "remote_control": None,
        "new_device": None,
        "new_e_channel": None,
        "limit_just_raised": None,
        "balance_before_minor": 99_000,
        "remark": "货款",
        "branch_id": "",
        "terminal_id": "",
        "execution": "posted",
        "execution_time_ms": NOON_MS + 3_000,
        "is_fraud": False,
        "is_mule_flow": False,
        "fraud_type": None,
        "episode_id": None,
    }
    assert row.keys() >= columns.keys()
    return row | columns
