"""Rows as requests, in batches of which each account sees its own past."""

from datetime import date
from typing import Any

from fanzha.mapping.mapping import Columns
from fanzha.mapping.rows import Row
from fanzha.replay.player import BATCH_MAX, batches
from fanzha.replay.request import to_request
from fanzha.v1 import transfer_pb2 as wire

NOON_MS = 1_795_323_909_000


def a_row(payer: str, payee: str | None) -> Row:
    fields = {"payer_account": payer} | ({"payee_account": payee} if payee else {})
    return Row(0, 1, 0, fields)


def a_value(name: str) -> Any:
    """Return a value that a field can have."""
    match name.removeprefix("payer_").removeprefix("payee_"):
        case "amount" | "base_amount" | "balance_before":
            return 1234
        case "open_date":
            return date(2020, 2, 29)
        case "kind" | "channel" | "speed" | "type" | "segment" | "open_channel" | "name_match":
            return 2
        case "currency":
            return "CNY"
        case (
            "account" | "account_ref" | "person" | "phone" | "remark" | "device_id" | "branch_id"
            | "terminal_id" | "request_id" | "transfer_id"
        ):  # fmt: skip
            return f"1-{name}"
    return True


def test_every_field_of_a_mapping_has_its_place_in_the_request() -> None:
    names = [name for name in Columns.model_fields if name != "time"]
    every = Row(0, 1, NOON_MS, {name: a_value(name) for name in names})

    request = to_request(every)

    leaves = 0
    for name in names:
        without = Row(0, 1, NOON_MS, {k: v for k, v in every.fields.items() if k != name})
        if name not in ("request_id", "currency"):
            assert to_request(without) != request, name
            leaves += 1
    assert leaves == len(names) - 2
    transfer = request.transfer
    assert transfer.create_time.ToMilliseconds() == NOON_MS
    assert transfer.amount == wire.Money(currency_code="CNY", minor_units=1234)
    assert transfer.payer.opening.open_date == wire.Date(year=2020, month=2, day=29)
    assert transfer.payee.account == "1-payee_account"
    assert transfer.payee_same_owner
    assert transfer.session.device_id == "1-device_id"


def test_no_account_is_in_a_batch_twice() -> None:
    rows = [a_row("a", "b"), a_row("c", "d"), a_row("d", None), a_row("e", "a"), a_row("x", "a")]

    cut = [[row.fields["payer_account"] for row in batch] for batch in batches(rows)]

    assert cut == [["a", "c"], ["d", "e"], ["x"]]


def test_a_batch_holds_at_most_256() -> None:
    rows = [a_row(f"p{number}", None) for number in range(600)]

    assert [len(batch) for batch in batches(rows)] == [BATCH_MAX, BATCH_MAX, 600 - 2 * BATCH_MAX]
