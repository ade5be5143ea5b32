import pyarrow as pa
import pytest
from tests.unit.loadtest.rows import NOON_MS, a_row

from fanzha.v1 import transfer_pb2 as wire
from fanzha_loadtest.requests import to_request
from fanzha_training.table import TRANSFERS, TRUTH_COLUMNS


def test_a_row_becomes_the_request_that_its_channel_would_send() -> None:
    request = to_request(a_row())

    transfer = request.transfer
    assert request.request_id == "r-1"
    assert transfer.transfer_id == "t-1"
    assert transfer.create_time.ToMilliseconds() == NOON_MS
    assert (transfer.kind, transfer.channel, transfer.speed) == (
        wire.TRANSFER_KIND_TRANSFER,
        wire.CHANNEL_MOBILE,
        wire.TRANSFER_SPEED_REAL_TIME,
    )
    assert (transfer.amount.currency_code, transfer.amount.minor_units) == ("CNY", 12_345)
    assert transfer.balance_before.minor_units == 99_000
    assert transfer.payer.account == "6222020200112233445"
    assert transfer.payer.segment == wire.CUSTOMER_SEGMENT_RETIRED
    assert transfer.payer.opening.open_date == wire.Date(year=2015, month=3, day=1)
    assert transfer.payer.opening.channel == wire.CHANNEL_COUNTER
    assert transfer.payee.type == wire.PARTY_TYPE_COMPANY
    assert transfer.payee_name_match == wire.NAME_MATCH_MATCH
    assert transfer.remark == "货款"


def test_what_a_channel_does_not_know_is_absent_and_no_is_sent_as_no() -> None:
    transfer = to_request(a_row()).transfer

    assert not transfer.HasField("payee_same_bank")
    assert transfer.HasField("payee_same_owner")
    assert not transfer.payee.HasField("opening")
    assert not transfer.session.HasField("remote_control")
    assert transfer.session.HasField("screen_shared")
    assert not transfer.session.screen_shared


def test_a_withdrawal_has_no_payee_and_an_unknown_session_is_left_out() -> None:
    unknown = dict.fromkeys(
        ("call_in_progress", "screen_shared", "payee_account", "payee_type", "balance_before_minor")
    )

    row = a_row(kind="cash_withdrawal", channel="atm", device_id=None, **unknown)
    transfer = to_request(row).transfer

    assert not transfer.HasField("payee")
    assert not transfer.HasField("session")
    assert not transfer.HasField("balance_before")


def test_the_truth_and_the_execution_are_never_sent() -> None:
    told = a_row(
        is_fraud=True,
        is_mule_flow=True,
        fraud_type="task_rebate",
        episode_id="e-00000099",
        execution="reversed",
        execution_time_ms=NOON_MS + 77_000,
    )

    assert to_request(told) == to_request(a_row())


def test_the_rows_of_these_tests_have_the_columns_that_the_simulator_writes() -> None:
    table = pa.Table.from_pylist([a_row()], schema=TRANSFERS)

    assert table.column_names == list(a_row())
    assert set(TRUTH_COLUMNS) <= set(a_row())


def test_a_word_that_the_api_does_not_know_is_an_error() -> None:
    with pytest.raises(KeyError):
        to_request(a_row(channel="telepathy"))
