"""What is fuzzed: each target takes any bytes, and raises only what is a bug.

An error with a meaning (a refusal that names its cause) is what hostile input is to get; anything
else, a crash, a hang or memory without bound, is a finding.
"""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa
from google.protobuf.message import DecodeError
from tests.fuzz.access_targets import ACCESS_TARGETS

from fanzha.adapters.codec import decode, decode_decision, decode_entry, decode_record, encode
from fanzha.adapters.reads import ANSWER_HEAD, stored_request
from fanzha.adapters.spool_contents import contents_of
from fanzha.adapters.spool_frames import cut_torn, located_frames, read_at, read_frames, survey
from fanzha.archive.rows import day_of, to_row, to_table
from fanzha.commands.watchlist_csv import read_rows
from fanzha.domain.errors import FanzhaError
from fanzha.domain.ids import bucket_of_decision, is_decision_id, time_ms_of_decision
from fanzha.domain.record import ExecutionRecord, OutcomeRecord
from fanzha.mapping.checking import check_mapping
from fanzha.mapping.mapping import load_mapping
from fanzha.pipeline.validate import Rules, validate
from fanzha.policy.load import load_policy
from fanzha.policy.prompts import load_prompts
from fanzha.registry.registry_file import history_of
from fanzha.signing.keys import read_trusted
from fanzha.transport.convert import to_draft
from fanzha.transport.identity import Tokens, redacted
from fanzha.v1 import outcomes_pb2, scoring_pb2, watchlists_pb2

Target = Callable[[bytes], None]

_NOW: Final = datetime(2026, 11, 25, tzinfo=UTC)
_NOW_MS: Final = int(_NOW.timestamp() * 1000)
_TOKENS: Final = Tokens(bytes(range(32)))
_RULES: Final = Rules("CNY")
_ZONE: Final = ZoneInfo("Asia/Shanghai")
_SEVEN_FIGURES: Final = re.compile(r"\d{7}")
_SCHEMA: Final = pa.schema(
    [("id", pa.string()), ("when", pa.string()), ("yuan", pa.string()), ("from", pa.string())]
)
_MAPPING: Final = b"""columns:
  request_id: {column: id, prefix: r-}
  transfer_id: {column: id, prefix: t-}
  time: {column: when, format: '%Y-%m-%d %H:%M:%S', zone: Asia/Shanghai}
  kind: {constant: transfer}
  channel: {constant: mobile}
  amount: {column: yuan, unit: yuan}
  payer_account: {column: from}
  payee_account: {column: to}
"""
_PLACE = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path("/tmp")  # noqa: S108 - own names


def _file(data: bytes, suffix: str) -> Path:
    path = _PLACE / f"fanzha-fuzz-{os.getpid()}{suffix}"
    path.write_bytes(data)
    return path


def score_request(data: bytes) -> None:
    """The body of ScoreTransfer, up to the pipeline: parse, tokens, every rule about a transfer."""
    try:
        request = scoring_pb2.ScoreTransferRequest.FromString(data)
        draft = to_draft(request, "caller", _TOKENS)
        transfer = validate(draft, _RULES, _NOW_MS)
    except (DecodeError, FanzhaError):
        return
    assert decode(encode(transfer), type(transfer)) == transfer


def other_requests(data: bytes) -> None:
    """Bodies of batches, outcomes and list imports."""
    kinds = (
        scoring_pb2.ScoreBatchRequest,
        outcomes_pb2.RecordOutcomeRequest,
        outcomes_pb2.ReportExecutionRequest,
        watchlists_pb2.ImportEntriesRequest,
    )
    for kind in kinds:
        try:
            message = kind.FromString(data)
        except DecodeError:
            continue
        message.SerializeToString()


def remark(data: bytes) -> None:
    """Free text: nothing that looks like an identifier may be left in it."""
    text = redacted(data.decode(errors="replace"))
    assert not _SEVEN_FIGURES.search(text)


def decision_id(data: bytes) -> None:
    """What clients send as a decision's id."""
    if data[:1] == b"Z" and "FANZHA_FUZZ_PLANTED" in os.environ:
        raise AssertionError("planted, to see that it is found")
    text = data.decode(errors="replace")
    if is_decision_id(text):
        assert 0 <= bucket_of_decision(text) < 256
        assert time_ms_of_decision(text) >= 0


def spool(data: bytes) -> None:
    """A segment of a spool."""
    path = _file(data, ".spool")
    frames = list(read_frames(path))
    assert sum(map(len, frames)) <= len(data)
    for place, payload in located_frames(path):
        assert read_at(path, place) == payload
    survey(path)
    with suppress(msgspec.DecodeError):
        contents_of(path)
    cut_torn(path)
    assert list(read_frames(path)) == frames
    for torn in path.parent.glob(f"{path.name}*.torn"):
        torn.unlink()


def records(data: bytes) -> None:
    """Bodies of the journal and of answers, as another version or a fault may have left them."""
    for read in (decode_record, decode_decision, decode_entry, _execution, _outcome):
        try:
            read(data)
        except msgspec.DecodeError:
            continue
    try:
        stored_request(data[:60], data[60:])
    except ValueError:
        return


def _execution(data: bytes) -> object:
    return decode(data, ExecutionRecord)


def _outcome(data: bytes) -> object:
    return decode(data, OutcomeRecord)


_KINDS: Final = (
    b"decision", b"decision_update", b"change", b"execution", b"outcome", b"withdrawal",
    b"list_import", b"list_commit", b"model_change", b"conflict", b"unheard of",
)  # fmt: skip


def journal_entry(data: bytes) -> None:
    """An entry of the journal on its way into the archive: kept as it came, whatever it is."""
    if len(data) < 45:
        return
    fields = {b"k": _KINDS[data[0] % len(_KINDS)], b"a": data[1:17], b"b": data[45:]}
    if data[1] & 1:
        fields |= {b"s": b"%d" % data[2], b"o": b"%d" % (data[3] % 12), b"c": data[4:44]}
    # What no service writes.
    if data[1] & 14 == 14:
        fields |= {b"s": data[4:8], b"c": data[4 : 4 + data[2]], b"a": data[1 : 1 + data[3] % 20]}
    if data[1] & 48 == 48:
        del fields[b"k"]
    row = to_row(data[2], "1790000000000-0", fields)
    day_of(row)
    to_table([row])


def policy(data: bytes) -> None:
    """A policy file."""
    try:
        load_policy(_file(data, ".yaml"), _ZONE)
    except FanzhaError:
        return


def prompts(data: bytes) -> None:
    """A catalogue of prompts."""
    try:
        load_prompts(_file(data, ".yaml"))
    except FanzhaError:
        return


def mapping(data: bytes) -> None:
    """A mapping file."""
    try:
        load_mapping(_file(data, ".yaml"), _SCHEMA)
    except FanzhaError:
        return


def bank_file(data: bytes) -> None:
    """A bank's CSV, read through a good mapping."""
    path = _file(data, ".csv")
    by = path.with_name(f"{path.stem}-mapping.yaml")
    if not by.exists():
        by.write_bytes(_MAPPING)
    try:
        check_mapping(path, str(by), 3, lambda _: None)
    except FanzhaError:
        return


def list_file(data: bytes) -> None:
    """A CSV of watchlist entries."""
    try:
        for row in read_rows(_file(data, ".csv"), _NOW):
            assert row.faults or row.entry.identifier
    except FanzhaError:
        return


def registry(data: bytes) -> None:
    """The registry of models."""
    try:
        history_of(data)
    except FanzhaError:
        return


def public_key(data: bytes) -> None:
    """A file of the trusted folder."""
    folder = _PLACE / "fanzha-fuzz-keys"
    folder.mkdir(exist_ok=True)
    (folder / "somebody.pub").write_bytes(data)
    found = read_trusted(folder)
    assert len(found.keys) + len(found.faults) == 1


TARGETS: Final[dict[str, Target]] = {
    target.__name__: target
    for target in (
        score_request, other_requests, remark, decision_id, spool, records, journal_entry,
        policy, prompts, mapping, bank_file, list_file, registry, public_key, *ACCESS_TARGETS,
    )
}  # fmt: skip
assert ANSWER_HEAD.size == 72
