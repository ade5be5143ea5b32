"""The judge finds what is planted: a harness that cannot fail would prove nothing."""

import base64
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.chaos.answers import (
    DECISION,
    EXECUTION,
    FAILURE,
    OUTCOME,
    Call,
    CallLog,
    as_text,
    read_calls,
)
from tests.chaos.archived import Archived, read_archived
from tests.chaos.judge import Verdict, Window, judge, longest_gap_s
from tests.journals import Journals

from fanzha.adapters.redis_link import RedisLink
from fanzha.archive.drain import drain
from fanzha.archive.log import ArchiveLog
from fanzha.v1 import scoring_pb2 as scoring

CALM = Window(100.0, 100.0, 110.0, 110.0)
OUTAGE = replace(CALM, is_outage=True)
JOURNAL = scoring.DEGRADED_PART_JOURNAL


def an_answer(
    name: str = "D1",
    request: str = "r-1",
    *,
    decision: int = 1,
    score: int = 300,
    at_s: float = 50.0,
    parts: tuple[int, ...] = (),
    **fields: Any,
) -> Call:
    """An answer as a client wrote it down; outside of any fault unless told otherwise."""
    said = scoring.ScoreTransferResponse(
        decision_id=name, request_id=request, decision=decision, score=score, degraded_parts=parts
    )
    call = Call(DECISION, "c0", 0, at_s - 0.01, at_s, request, name, as_text(said))
    return replace(call, **fields)


def a_row(call: Call, kind: str = "decision") -> Archived:
    """The record of an answer."""
    letter = {"decision": "D", "conflict": "X", "decision_update": "U"}[kind]
    return Archived(f"{letter}-{call.decision_id}", kind, call.decision_id, call.response)


def judged(
    calls: list[Call], rows: list[Archived], window: Window = CALM, *, found: bool = True
) -> Verdict:
    """Judge with a GetDecision that says what was answered first."""
    known: dict[str, Any] = {}
    for call in calls if found else []:
        if call.kind == DECISION:
            known.setdefault(call.decision_id, scoring.GetDecisionResponse(decision=call.answer))
    return judge(calls, rows, known, [window])


def test_a_run_in_which_all_is_well_has_no_violation() -> None:
    first, marked = an_answer(), an_answer("D2", "r-2", at_s=105, parts=(JOURNAL,))
    execution = Call(EXECUTION, "c0", 0, 51, 52, decision_id="D1", detail="1")
    rows = [a_row(first), a_row(marked), Archived("E-D1-0", "execution", "D1", detail="1")]

    verdict = judged([first, first, marked, execution], rows, OUTAGE)

    assert verdict.violations == {}
    assert (verdict.answered, verdict.acknowledged) == (3, 1)


def test_an_answered_decision_that_the_archive_lacks_is_lost() -> None:
    verdict = judged([an_answer()], [])

    assert list(verdict.violations) == ["lost"]


@pytest.mark.parametrize(
    "call",
    [
        Call(EXECUTION, "c0", 0, 51, 52, decision_id="D1", detail="2"),
        Call(OUTCOME, "c0", 0, 51, 52, decision_id="D1", detail="o-2"),
    ],
)
def test_a_report_that_was_taken_and_is_not_archived_is_lost(call: Call) -> None:
    others = [
        Archived("E-D1-0", "execution", "D1", detail="1"),
        Archived("O-D1-0", "outcome", "D1", detail="o-1"),
    ]

    verdict = judged([an_answer(), call], [a_row(an_answer()), *others])

    assert list(verdict.violations) == ["lost"]


def test_a_record_that_comes_twice_is_doubled() -> None:
    row = a_row(an_answer())

    assert list(judged([an_answer()], [row, row]).violations) == ["doubled"]
    assert list(judged([an_answer()], [row, replace(row, record_id="D-x")]).violations) == [
        "doubled"
    ]
    change = Archived("C-00-1", "change", "")
    assert list(judged([], [change, change]).violations) == ["doubled"]


@pytest.mark.parametrize(
    "other",
    [an_answer(decision=3), an_answer(score=301), an_answer(parts=(JOURNAL,))],
)
def test_another_content_than_was_answered_is_altered(other: Call) -> None:
    verdict = judged([an_answer()], [a_row(other)])

    assert list(verdict.violations) == ["altered"]


def test_an_answer_given_with_a_later_mark_is_found_in_its_update() -> None:
    plain, marked = an_answer(), an_answer(parts=(JOURNAL,))

    verdict = judged([marked, plain], [a_row(plain), a_row(marked, "decision_update")])

    assert verdict.violations == {}


def test_a_decision_that_get_decision_does_not_know_is_named() -> None:
    verdict = judged([an_answer()], [a_row(an_answer())], found=False)

    assert list(verdict.violations) == ["not_found"]


def test_get_decision_has_to_say_what_was_answered() -> None:
    call = an_answer()
    known = {"D1": scoring.GetDecisionResponse(decision=an_answer(decision=3).answer)}

    assert list(judge([call], [a_row(call)], known, [CALM]).violations) == ["altered"]


def two_answers(**second: Any) -> list[Call]:
    return [an_answer(at_s=104), an_answer("D2", at_s=106, **second)]


def test_two_answers_that_nobody_reconciled_contradict() -> None:
    calls = two_answers(decision=3)

    verdict = judged(calls, [a_row(call) for call in calls])

    assert list(verdict.violations) == ["contradicted"]


def test_reconciled_pairs_of_an_outage_are_counted() -> None:
    for second, counts in (({"decision": 3}, (1, 0)), ({"score": 299}, (1, 0)), ({}, (0, 1))):
        calls = two_answers(**second)

        verdict = judged(calls, [a_row(calls[0]), a_row(calls[1], "conflict")])

        assert verdict.violations == {}
        assert (verdict.reconciled, verdict.same_answer_twice) == counts


def test_a_pair_without_a_fault_contradicts_even_when_reconciled() -> None:
    calls = [an_answer(at_s=20), an_answer("D2", at_s=30, decision=3)]

    verdict = judged(calls, [a_row(calls[0]), a_row(calls[1], "conflict")])

    assert list(verdict.violations) == ["contradicted"]


def test_of_a_reconciled_pair_the_stricter_has_to_stand() -> None:
    calls = two_answers(decision=3)
    rows = [a_row(calls[0]), a_row(calls[1], "conflict")]
    milder = an_answer(at_s=120, attempt="after")
    known = {
        call.decision_id: scoring.GetDecisionResponse(decision=call.answer, reconciled_to="D1")
        for call in calls
    }

    assert list(judged([*calls, milder], rows).violations) == ["contradicted"]
    anew = an_answer("D3", at_s=120, attempt="after", parts=(JOURNAL,))
    kept = [*rows, a_row(anew, "conflict")]
    assert judged([*calls, anew], kept).violations == {}
    assert list(
        judged(
            [*calls, replace(anew, response=an_answer("D3").response)],
            [*rows, a_row(an_answer("D3"), "conflict")],
        ).violations
    ) == ["contradicted"]
    again = replace(anew, sent_s=121, ended_s=121.1)
    assert list(judged([*calls, anew, again], kept).violations) == ["contradicted"]
    assert list(judge(calls, rows, known, [CALM]).violations) == ["contradicted"]
    for response in known.values():
        response.reconciled_to = "D2"
    assert judge(calls, rows, known, [CALM]).violations == {}


def test_a_request_that_is_refused_as_another_body_contradicts() -> None:
    failed = Call(FAILURE, "c0", 0, 50, 51, "r-1", detail="ALREADY_EXISTS: another body")

    assert list(judged([failed], []).violations) == ["contradicted"]


def test_whole_answers_while_redis_was_away_are_named() -> None:
    lists_alone = an_answer(at_s=105, parts=(scoring.DEGRADED_PART_LISTS,))
    for call in (an_answer(at_s=105), lists_alone):
        assert list(judged([call], [a_row(call)], OUTAGE).violations) == ["unmarked"]
        assert judged([call], [a_row(call)], CALM).violations == {}
    # It was on its way when Redis went, or came back.
    under_way = replace(an_answer(at_s=100.1), sent_s=99.9)
    assert judged([under_way], [a_row(under_way)], OUTAGE).violations == {}


@pytest.mark.parametrize(
    ("detail", "violated"),
    [
        ("INTERNAL: internal error", ["unexpected"]),
        ("NOT_FOUND: no decision", ["unexpected"]),
        ("UNAVAILABLE: away", []),
    ],
)
def test_errors_that_no_client_should_see_are_named(detail: str, violated: list[str]) -> None:
    failed = Call(FAILURE, "c0", 0, 50, 51, "D1", attempt=EXECUTION, detail=detail)

    assert list(judged([failed], []).violations) == violated


def test_the_longest_gap_counts_decisions_alone() -> None:
    calls = [an_answer(at_s=1), an_answer(at_s=2), an_answer(at_s=5), an_answer(at_s=5.5)]
    report = Call(EXECUTION, "c0", 0, 3, 4, decision_id="D1", detail="1")

    assert longest_gap_s([*calls, report]) == 3
    assert longest_gap_s([]) == 0


def test_what_a_client_wrote_down_is_read_again(tmp_path: Path) -> None:
    calls = [an_answer(at_s=2, parts=(JOURNAL,)), an_answer("D2", at_s=1)]
    for number, call in enumerate(calls):
        log = CallLog(tmp_path / f"c{number}.jsonl")
        log.write(call)
        log.close()

    read = read_calls(tmp_path)

    assert read == [calls[1], calls[0]]
    assert list(read[1].answer.degraded_parts) == [JOURNAL]


@pytest.fixture
def archive(redis_url: str, tmp_path: Path) -> Path:
    """A real archive of real records, from a real journal."""
    journals = Journals(redis_url)
    journals.add(120)
    link = RedisLink(redis_url, 5_000)
    drain(link, tmp_path / "archive", progress=lambda _: None)
    link.close()
    journals.client.close()
    return tmp_path / "archive"


def answers_of(archive: Path) -> list[Call]:
    """What clients would have written down, had they been answered what is archived."""
    answers = []
    for row in read_archived(archive):
        if row.kind == "decision" and row.response is not None:
            said = scoring.ScoreTransferResponse.FromString(base64.b64decode(row.response))
            # These records share one request; clients' do not.
            call = Call(DECISION, "c0", 0, 1, 2, row.decision_id, row.decision_id, row.response)
            answers.append(replace(call, response=as_text(said)))
    return answers


def audit(archive: Path) -> int:
    command = [sys.executable, "-m", "fanzha", "audit", "verify", "--archive", str(archive)]
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode


def test_a_whole_archive_has_all_that_was_answered(archive: Path) -> None:
    answers = answers_of(archive)

    assert len(answers) > 20
    assert judged(answers, read_archived(archive)).violations == {}
    assert audit(archive) == 0


@pytest.mark.parametrize("planted", ["lost", "doubled", "altered"])
def test_what_is_changed_in_an_archive_is_found(archive: Path, planted: str) -> None:
    answers = answers_of(archive)
    log = ArchiveLog(archive)
    (file,) = {log.full_path(file) for file in log.files()}
    table = pq.ParquetFile(file).read()
    rows = table.to_pylist()
    places = [at for at, row in enumerate(rows) if row["kind"] == "decision"]
    if planted == "lost":
        del rows[places[3]]
    elif planted == "doubled":
        rows.append(rows[places[3]])
    else:
        rows[places[3]]["body"] = rows[places[4]]["body"]
    pq.write_table(type(table).from_pylist(rows, schema=table.schema), file)

    verdict = judged(answers, read_archived(archive))

    assert list(verdict.violations) == [planted]
    assert audit(archive) == 3
