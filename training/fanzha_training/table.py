"""Columns of the tables that training reads: attempts to move money, and what became of them.

The simulator writes them; a bank can export its own history in the same form. Words are the
lower-case names of the vocabularies in `fanzha.domain.vocabulary`; null means unknown. Amounts are
integer minor units of the currency (fen for CNY), times milliseconds since 1970 UTC.
"""

from typing import Any, Final

import pyarrow as pa

TRANSFERS_FILE: Final = "transfers.parquet"
OUTCOMES_FILE: Final = "outcomes.parquet"
WORLD_FILE: Final = "world.json"
"""Says with which parameters the tables beside it were simulated, and their SHA-256."""


def _required(name: str, kind: pa.DataType) -> "pa.Field[Any]":
    return pa.field(name, kind, nullable=False)


def _party(side: str, *, required: bool) -> "list[pa.Field[Any]]":
    return [
        pa.field(f"{side}_account", pa.string(), nullable=not required),
        pa.field(f"{side}_person", pa.string(), nullable=not required),
        pa.field(f"{side}_phone", pa.string(), nullable=not required),
        pa.field(f"{side}_type", pa.string(), nullable=not required),
        pa.field(f"{side}_segment", pa.string()),
        pa.field(f"{side}_open_date", pa.date32()),
        pa.field(f"{side}_open_channel", pa.string()),
        pa.field(f"{side}_dual_recording_done", pa.bool_()),
    ]


TRANSFERS: Final = pa.schema(
    [
        _required("request_id", pa.string()),
        _required("transfer_id", pa.string()),
        _required("time_ms", pa.int64()),
        _required("kind", pa.string()),
        _required("channel", pa.string()),
        pa.field("speed", pa.string()),
        _required("amount_minor", pa.int64()),
        _required("currency", pa.string()),
        *_party("payer", required=True),
        pa.field("payer_anti_fraud_app", pa.bool_()),
        *_party("payee", required=False),
        pa.field("payee_same_owner", pa.bool_()),
        pa.field("payee_same_bank", pa.bool_()),
        pa.field("payee_name_match", pa.string()),
        pa.field("device_id", pa.string()),
        pa.field("call_in_progress", pa.bool_()),
        pa.field("screen_shared", pa.bool_()),
        pa.field("remote_control", pa.bool_()),
        pa.field("new_device", pa.bool_()),
        pa.field("new_e_channel", pa.bool_()),
        pa.field("limit_just_raised", pa.bool_()),
        pa.field("balance_before_minor", pa.int64()),
        _required("remark", pa.string()),
        _required("branch_id", pa.string()),
        _required("terminal_id", pa.string()),
        _required("execution", pa.string()),
        _required("execution_time_ms", pa.int64()),
        _required("is_fraud", pa.bool_()),
        _required("is_mule_flow", pa.bool_()),
        pa.field("fraud_type", pa.string()),
        pa.field("episode_id", pa.string()),
    ]
)
"""One row for each attempt, sorted by `time_ms`. Everything is as the channel knew it at that time,
but for the last six columns: what the bank then did with the money, and the truth. `is_fraud` marks
payments of victims, `is_mule_flow` what mules do with the money and what victims of other banks pay
them; `fraud_type` and `episode_id` name the story that either belongs to. The truth is never a
feature, and never known in time."""

TRUTH_COLUMNS: Final = ("is_fraud", "is_mule_flow", "fraud_type", "episode_id")

OUTCOMES: Final = pa.schema(
    [
        _required("outcome_id", pa.string()),
        _required("request_id", pa.string()),
        _required("transfer_id", pa.string()),
        _required("outcome", pa.string()),
        pa.field("fraud_type", pa.string()),
        _required("source", pa.string()),
        _required("report_time_ms", pa.int64()),
        pa.field("loss_minor", pa.int64()),
        pa.field("withdrawn_time_ms", pa.int64()),
    ]
)
"""What became known of transfers, sorted by `report_time_ms`: late, not always, not always right.
A transfer may have several; what stands, `fanzha.domain.outcomes` says. `outcome` is a word of
OutcomeType, `source` one of OutcomeSource; `withdrawn_time_ms` is when an outcome was taken back,
null when it was not. A bank's own table may lack the last, and `source`: then the bank says so."""
