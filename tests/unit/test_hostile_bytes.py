"""What fuzzing found, each as small as it can be."""

from pathlib import Path

import msgspec
import pytest

from fanzha.adapters.codec import decode_decision, decode_record, encode
from fanzha.archive.rows import day_of, to_row, to_table
from fanzha.domain.errors import RegistryRefusedError
from fanzha.domain.record import ExecutionRecord
from fanzha.domain.vocabulary import ExecutionStatus
from fanzha.mapping.checking import check_mapping
from fanzha.registry.registry_file import history_of
from fanzha.signing.keys import read_trusted

MAPPING = """columns:
  request_id: {column: id}
  transfer_id: {column: id}
  time: {column: when, format: iso, zone: Asia/Shanghai}
  kind: {constant: transfer}
  channel: {constant: mobile}
  amount: {column: yuan, unit: yuan}
  payer_account: {column: from}
  payee_account: {column: to}
execution: none
"""


@pytest.mark.parametrize("read", [decode_decision, decode_record])
def test_text_that_is_no_utf8_is_a_record_that_cannot_be_read(read: object) -> None:
    body = b"\x81\xab" + b"decision_id" + b"\xa2\xff\xfe"
    with pytest.raises(msgspec.DecodeError):
        read(body)  # type: ignore[operator]


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"statements":' + b"[" * 100_000])
def test_a_registry_nested_without_end_is_refused(content: bytes) -> None:
    with pytest.raises(RegistryRefusedError, match="is damaged"):
        history_of(content)


def test_an_absurd_time_does_not_stop_the_archive() -> None:
    late = ExecutionRecord("0" * 26, ExecutionStatus.POSTED, 1, 2**61)
    row = to_row(3, "1790000000000-0", {b"k": b"execution", b"a": bytes(16), b"b": encode(late)})
    assert day_of(row).year == 2026
    assert row["body"] == encode(late)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {b"k": b"\xff"},
        {b"k": b"decision", b"a": b"short"},
        {b"k": b"change", b"a": bytes(16), b"s": b"1"},
        {b"k": b"change", b"a": bytes(16), b"s": b"many", b"o": b"1", b"c": bytes(40)},
        {b"k": b"change", b"a": bytes(16), b"s": b"9" * 30, b"o": b"1", b"c": bytes(40)},
        {b"k": b"change", b"a": bytes(16), b"s": b"1", b"o": b"1000", b"c": bytes(40)},
        {b"k": b"change", b"a": bytes(16), b"s": b"1", b"o": b"1", b"c": bytes(39)},
    ],
)
def test_an_entry_that_no_service_writes_does_not_stop_the_archive(
    fields: dict[bytes, bytes],
) -> None:
    row = to_row(3, "1790000000000-0", fields | {b"b": b"what it said"})

    (kept,) = to_table([row]).to_pylist()
    assert (kept["kind"], kept["body"]) == ("unreadable", b"what it said")
    assert day_of(row).year == 2026


def test_a_number_that_no_column_holds_does_not_stop_the_archive() -> None:
    huge = ExecutionRecord("0" * 26, ExecutionStatus.POSTED, 1, 1_790_000_000_000)
    body = encode(huge).replace(encode(ExecutionStatus.POSTED), encode(2**63), 1)
    row = to_row(3, "1790000000000-0", {b"k": b"execution", b"a": bytes(16), b"b": body})

    (kept,) = to_table([row]).to_pylist()
    assert (kept["kind"], kept["body"]) == ("execution", body)


def test_a_column_that_comes_twice_is_told(tmp_path: Path) -> None:
    file, mapping = tmp_path / "bank.csv", tmp_path / "mapping.yaml"
    file.write_text("id,when,when,yuan,from,to\n1,2,3,4,5,6\n")
    mapping.write_text(MAPPING)
    faults = check_mapping(file, str(mapping), 3, lambda _: None).mapping_faults
    assert any("2 columns when" in fault for fault in faults)


def test_a_public_key_of_an_unknown_kind_is_trusted_for_nothing(tmp_path: Path) -> None:
    from base64 import b64encode  # noqa: PLC0415

    strange = bytes.fromhex("302a300506032b0555032100") + bytes(32)
    pem = b"-----BEGIN PUBLIC KEY-----\n" + b64encode(strange) + b"\n-----END PUBLIC KEY-----\n"
    (tmp_path / "eve.pub").write_bytes(pem)
    found = read_trusted(tmp_path)
    assert not found.keys
    assert "eve.pub" in found.faults


def test_a_pattern_that_names_a_part_twice_is_told(tmp_path: Path) -> None:
    file, mapping = tmp_path / "bank.csv", tmp_path / "mapping.yaml"
    file.write_text("id,when,yuan,from,to\n1,2,3,4,5\n")
    mapping.write_text(MAPPING.replace("format: iso", "format: '%Y-%m-%d %d'"))
    faults = check_mapping(file, str(mapping), 3, lambda _: None).mapping_faults
    assert any("strptime pattern" in fault for fault in faults)


def test_a_field_of_which_nothing_is_said_is_as_if_left_out(tmp_path: Path) -> None:
    file, mapping = tmp_path / "bank.csv", tmp_path / "mapping.yaml"
    file.write_text("id,when,yuan,from,to\n1,2026-11-20 09:30:00,3,4,5\n")
    mapping.write_text(MAPPING.replace("columns:\n", "columns:\n  currency:\n"))
    assert check_mapping(file, str(mapping), 3, lambda _: None).mapping_faults == ()
