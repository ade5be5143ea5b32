"""Judges a run: what clients were answered, against the archive and GetDecision. Pure.

Each rule that a promise of the service stands for is one list of `Verdict`; an entry is one
violation, in words.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.chaos.answers import DECISION, EXECUTION, FAILURE, OUTCOME, Call
from tests.chaos.archived import Archived

from fanzha.v1 import scoring_pb2 as scoring

_JOURNAL = scoring.DEGRADED_PART_JOURNAL
_USUAL_FAILURES = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "CANCELLED")
_BEFORE_S = 2.5
"""Redis may forget what it was told so long before a fault: its append-only file is on disk each
second, its replicas lag behind."""
_AFTER_S = 12.0
"""So long after a fault's end its consequences may be seen: breakers probe, spools are sent."""


@dataclass(frozen=True, slots=True)
class Window:
    """When a fault held, CLOCK_MONOTONIC in seconds."""

    started_s: float
    """`start` was called."""
    held_s: float
    """`start` returned."""
    heal_s: float
    """`heal` was called."""
    healed_s: float
    """`heal` returned."""
    is_outage: bool = False

    def excuses(self, call: Call) -> bool:
        """Say whether what was answered then may be one of two answers."""
        return self.started_s - _BEFORE_S <= call.ended_s <= self.healed_s + _AFTER_S

    def covers(self, call: Call) -> bool:
        """Say whether a call lay within the fault as a whole."""
        return call.sent_s >= self.held_s and call.ended_s <= self.heal_s

    def touches(self, call: Call) -> bool:
        """Say whether a call was under way while the fault held."""
        return call.ended_s >= self.started_s and call.sent_s <= self.healed_s


@dataclass(slots=True)
class Verdict:
    """What came out; the lists name violations."""

    lost: list[str] = field(default_factory=list)
    """Answered or acknowledged, and not in the archive."""
    not_found: list[str] = field(default_factory=list)
    """Answered, and GetDecision did not find it although Redis was there."""
    doubled: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)
    contradicted: list[str] = field(default_factory=list)
    """Two answers to one request that nobody reconciled, or that no fault excuses."""
    unmarked: list[str] = field(default_factory=list)
    """Answered without a mark while Redis was away for everyone."""
    unexpected: list[str] = field(default_factory=list)
    """Errors that no client should see."""
    answered: int = 0
    acknowledged: int = 0
    reports_too_early: int = 0
    """Reports refused because the decision had not reached Redis yet."""
    reconciled: int = 0
    same_answer_twice: int = 0

    @property
    def violations(self) -> dict[str, list[str]]:
        """What was violated."""
        names = (
            "lost", "not_found", "doubled", "altered", "contradicted", "unmarked", "unexpected",
        )  # fmt: skip
        return {name: found for name in names if (found := getattr(self, name))}


def judge(
    calls: Iterable[Call],
    rows: Iterable[Archived],
    found: Mapping[str, Any],
    windows: Sequence[Window],
) -> Verdict:
    """Compare what clients know with what is on record.

    Args:
        calls: of all clients.
        rows: of the whole archive.
        found: GetDecision's responses, by decision id.
        windows: when faults held.
    """
    verdict, calls, rows = Verdict(), list(calls), list(rows)
    of_decision: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        if call.kind == DECISION:
            of_decision[call.decision_id].append(call)
    archived: dict[str, list[Archived]] = defaultdict(list)
    for row in rows:
        archived[row.decision_id].append(row)
    verdict.answered = sum(len(answers) for answers in of_decision.values())
    names = Counter(row.record_id for row in rows)
    verdict.doubled += [
        f"record {name}: {count} times" for name, count in names.items() if count > 1
    ]
    for name, answers in of_decision.items():
        _judge_record(verdict, name, answers, archived[name])
        _judge_found(verdict, name, answers, found.get(name))
    _judge_pairs(verdict, of_decision, archived, found, windows)
    _judge_reports(verdict, calls, archived)
    verdict.unmarked += [
        f"{call.decision_id} of {call.request_id} by worker {call.worker}"
        for window in windows
        for answers in of_decision.values()
        for call in answers
        if window.is_outage and window.covers(call) and _JOURNAL not in call.answer.degraded_parts
    ]
    for call in calls:
        if call.kind == FAILURE:
            _judge_failure(verdict, call)
    return verdict


def _judge_failure(verdict: Verdict, call: Call) -> None:
    code = call.detail.split(":")[0]
    said = f"{call.request_id} ({call.attempt}) at worker {call.worker}: {call.detail}"
    if code == "ALREADY_EXISTS":
        verdict.contradicted.append(said)
    elif code not in _USUAL_FAILURES:
        verdict.unexpected.append(said)
    elif call.attempt in (EXECUTION, OUTCOME) and "not on record yet" in call.detail:
        # Its decision is in another worker's spool, and on its way; the bank reports once more.
        verdict.reports_too_early += 1


def _judge_record(verdict: Verdict, name: str, answers: list[Call], rows: list[Archived]) -> None:
    contents = [row for row in rows if row.response is not None]
    kinds = Counter(row.kind for row in contents)
    if not kinds["decision"] + kinds["conflict"]:
        verdict.lost.append(f"decision {name} of {answers[0].request_id}")
        return
    if kinds["decision"] > 1 or kinds["conflict"] > 1:
        verdict.doubled.append(f"decision {name}: {dict(kinds)}")
    held = {row.response for row in contents}
    verdict.altered += [
        f"decision {name}: answered otherwise than archived"
        for text in {call.response for call in answers}
        if text not in held
    ]


def _judge_found(verdict: Verdict, name: str, answers: list[Call], found: Any) -> None:
    if found is None:
        verdict.not_found.append(f"decision {name} of {answers[0].request_id}")
    elif _but_the_mark(found.decision) != _but_the_mark(answers[0].answer):
        verdict.altered.append(f"decision {name}: answered otherwise than GetDecision says")


def _but_the_mark(answer: scoring.ScoreTransferResponse) -> scoring.ScoreTransferResponse:
    """Return an answer without the mark that its record was late: that may follow."""
    copy = scoring.ScoreTransferResponse()
    copy.CopyFrom(answer)
    del copy.degraded_parts[:]
    copy.degraded_parts.extend(part for part in answer.degraded_parts if part != _JOURNAL)
    return copy


def _judge_pairs(
    verdict: Verdict,
    of_decision: Mapping[str, list[Call]],
    archived: Mapping[str, list[Archived]],
    found: Mapping[str, Any],
    windows: Sequence[Window],
) -> None:
    of_request: dict[str, list[Call]] = defaultdict(list)
    for answers in of_decision.values():
        for call in answers:
            of_request[call.request_id].append(call)
    for request, calls in of_request.items():
        first_of = {call.decision_id: call for call in reversed(calls)}
        if len(first_of) == 1:
            continue
        settled = sum(any(row.kind == "conflict" for row in archived[name]) for name in first_of)
        excused = any(
            _JOURNAL in call.answer.degraded_parts or any(one.excuses(call) for one in windows)
            for call in first_of.values()
        )
        said = f"{request}: {', '.join(sorted(first_of))}"
        if settled < len(first_of) - 1:
            verdict.contradicted.append(f"{said}: not reconciled")
        elif not excused:
            verdict.contradicted.append(f"{said}: without any fault")
        elif fault := _wrongly_settled(calls, found):
            verdict.contradicted.append(f"{said}: {fault}")
        elif len({_essence(call) for call in calls}) > 1:
            verdict.reconciled += 1
        else:
            verdict.same_answer_twice += 1


def _essence(call: Call) -> tuple[int, int | None]:
    answer = call.answer
    return answer.decision, answer.score if answer.HasField("score") else None


def _wrongly_settled(calls: list[Call], found: Mapping[str, Any]) -> str:
    """Return what is wrong with how several answers were settled; empty when nothing is."""
    strictest = max(call.answer.decision for call in calls)
    first_of = {call.decision_id: call for call in sorted(calls, key=lambda x: -x.ended_s)}
    # A worker that cannot read Redis in its time, as on a busy machine, decides anew and says so:
    # that is one of the answers that are settled, and none that comes after that.
    after = [
        call
        for call in calls
        if call.attempt == "after"
        and not (first_of[call.decision_id] is call and _JOURNAL in call.answer.degraded_parts)
    ]
    if any(call.answer.decision != strictest for call in after):
        return "asked again, not the strictest was answered"
    stands = {
        getattr(found[call.decision_id], "reconciled_to", "")
        for call in calls
        if call.decision_id in found
    }
    by_id = {call.decision_id: call.answer.decision for call in calls}
    if any(by_id.get(name, strictest) != strictest for name in stands if name):
        return "GetDecision names one that is not the strictest"
    return ""


def _judge_reports(
    verdict: Verdict, calls: list[Call], archived: Mapping[str, list[Archived]]
) -> None:
    for call in calls:
        if call.kind not in (EXECUTION, OUTCOME):
            continue
        verdict.acknowledged += 1
        of = {row.detail for row in archived[call.decision_id] if row.kind == call.kind}
        if call.detail not in of:
            verdict.lost.append(f"{call.kind} {call.detail} of {call.decision_id}")


def longest_gap_s(calls: Iterable[Call]) -> float:
    """Return the longest time in which no decision was answered."""
    ended = sorted(call.ended_s for call in calls if call.kind == DECISION)
    return max((after - before for before, after in pairwise(ended)), default=0.0)
