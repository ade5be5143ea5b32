"""`fanzha lists import`: all or nothing, by two people, and in force at once."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.builders import a_request
from tests.conftest import Service

from fanzha.commands.lists_import import import_lists
from fanzha.domain.errors import SetupError
from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import scoring_pb2_grpc

HEADER = "kind,identifier,grade,source,case_number,legal_basis,valid_from,valid_until"
LAW = "反电信网络诈骗法第二十条"
ALWAYS = "2020-01-01T00:00:00+08:00,2099-01-01T00:00:00+08:00"


def an_entry(identifier: str, grade: str = "involved", kind: str = "account") -> str:
    return f"{kind},{identifier},{grade},police,A-1,{LAW},{ALWAYS}"


def a_csv(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "lists.csv"
    path.write_text("\n".join([header, *lines]), "utf-8")
    return path


def bring(file: Path, address: str, **options: Any) -> None:
    """Import a file as the command does."""
    people = {"proposed_by": "zhang.wei", "approved_by": "li.na"}
    import_lists(file, address, **{**people, **options})


def refusal(file: Path, address: str, **options: Any) -> str:
    with pytest.raises(SetupError) as failure:
        bring(file, address, **options)
    return str(failure.value)


def decide(service: Service, payee: str) -> scoring.ScoreTransferResponse:
    stub: Any = scoring_pb2_grpc.ScoringServiceStub(service.channel)
    return stub.ScoreTransfer(a_request(payee=payee))


def test_a_transfer_to_an_involved_account_is_blocked_from_then_on(
    service: Service, tmp_path: Path
) -> None:
    before = decide(service, "621700-1")
    file = a_csv(tmp_path, an_entry("621700-1"))
    command = [sys.executable, "-m", "fanzha", "lists", "import", str(file), "--json"]
    command += ["--address", service.address, "--proposed-by", "zhang.wei"]

    done = subprocess.run(
        [*command, "--approved-by", "li.na"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    after = decide(service, "621700-1")

    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["imported"] == 1
    assert summary["rejected"] == 0
    assert before.decision != scoring.DECISION_BLOCK
    assert after.decision == scoring.DECISION_BLOCK
    assert after.versions.lists_version == summary["lists_version"] != before.versions.lists_version
    assert "621700-1" not in done.stdout + done.stderr


def test_a_bad_row_stops_the_import_and_goes_to_the_rejects(
    service: Service, tmp_path: Path
) -> None:
    file = a_csv(
        tmp_path,
        an_entry("621700-2"),
        an_entry("621700-账号", grade="grave"),
        f"person,P-1,involved,police,A-1,,{ALWAYS}",
        "phone,+86 138-0000-0001,watch,police,,,2020-01-01,2099-01-01T00:00:00+08:00",
        "device,D-1,watch,,,,,2001-01-01T00:00:00Z",
        "account,621700-3",
    )
    rejects = tmp_path / "rejects.csv"

    message = refusal(file, service.address, rejects=rejects)

    assert "5 bad row(s), nothing was imported" in message
    assert "row 2: grade must be one of watch, suspicious, involved; identifier must be" in message
    assert "row 3: legal_basis must be given for involved: it may block" in message
    assert "row 4: valid_from must be a time with its zone" in message
    assert "row 5: source must be given; valid_until is past" in message
    assert "row 6: has 2 fields, the header has 8" in message
    assert "621700" not in message
    assert decide(service, "621700-2").decision != scoring.DECISION_BLOCK
    assert rejects.stat().st_mode & 0o777 == 0o600
    with rejects.open(encoding="utf-8", newline="") as read:
        rows = list(csv.DictReader(read))
    assert [row["row"] for row in rows] == ["2", "3", "4", "5", "6"]
    assert rows[0]["identifier"] == "621700-账号"
    assert rows[1]["reasons"] == "legal_basis must be given for involved: it may block"


def test_the_good_rows_are_imported_when_asked_and_mended_rejects_later(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = a_csv(tmp_path, an_entry("621700-4"), an_entry("621700-5", grade=""))
    rejects = tmp_path / "rejects.csv"

    bring(file, service.address, skip_bad_rows=True, rejects=rejects)
    mended = rejects.read_text("utf-8").replace("621700-5,,", "621700-5,involved,")
    rejects.write_text(mended, "utf-8")
    bring(rejects, service.address)

    first, second = capsys.readouterr().out.splitlines()
    assert "imported 1 entries, rejected 1 rows; the lists are now lists-" in first
    assert "imported 1 entries, rejected 0 rows" in second
    assert decide(service, "621700-4").decision == scoring.DECISION_BLOCK
    assert decide(service, "621700-5").decision == scoring.DECISION_BLOCK


def test_more_entries_than_a_message_holds_take_effect_together(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = a_csv(tmp_path, *[an_entry(f"621701-{number}") for number in range(2_500)])

    bring(file, service.address, as_json=True)

    assert json.loads(capsys.readouterr().out)["imported"] == 2_500
    assert decide(service, "621701-2499").decision == scoring.DECISION_BLOCK


def test_a_refusal_of_the_service_names_the_rows_of_the_file(
    service: Service, tmp_path: Path
) -> None:
    # The client does not know the service's rule about people's names.
    file = a_csv(tmp_path, an_entry("621700-6"))

    message = refusal(file, service.address, proposed_by="zhang<wei>")

    assert "the service refused the import (INVALID_ARGUMENT), nothing took effect" in message
    assert "header.proposed_by must name a person" in message


@pytest.mark.parametrize("other", ["zhang.wei", " Zhang.Wei "])
def test_one_person_alone_cannot_change_the_lists(tmp_path: Path, other: str) -> None:
    file = a_csv(tmp_path, an_entry("621700-7"))

    message = refusal(file, "127.0.0.1:1", approved_by=other)

    assert "needs two people" in message


def test_a_service_that_is_not_there_is_told(tmp_path: Path) -> None:
    file = a_csv(tmp_path, an_entry("621700-8"))

    message = refusal(file, "127.0.0.1:1")

    assert "no service answers at 127.0.0.1:1" in message
    assert "--address" in message


@pytest.mark.parametrize("address", ["192.0.2.7:50051", "fanzha.bank.example:50051"])
def test_accounts_are_not_sent_in_the_clear(tmp_path: Path, address: str) -> None:
    file = a_csv(tmp_path, an_entry("621700-9"))

    message = refusal(file, address)

    assert f"{address} is not on loopback" in message
    assert "--tls-cert" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; it needs a header"),
        (HEADER.encode(), "has a header and no rows"),
        (b"kind,identifier,grade\n", "has no column 'source', 'case_number'"),
        (HEADER.encode() + b",note\n", "has columns that no entry knows: 'note'"),
        (HEADER.encode() + b",kind\n", "has twice the column 'kind'"),
        (HEADER.encode() + "\naccount,账号".encode("gbk"), "is not UTF-8 text"),
        (HEADER.encode() + b'\naccount,"6217', "is no CSV after row 0"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "lists.csv"
    file.write_bytes(content)

    assert message in refusal(file, "127.0.0.1:1")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "nowhere.csv", "127.0.0.1:1")
