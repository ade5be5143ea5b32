"""Counts whether everything that was answered is on record: client's list against the archive."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import grpc
import pyarrow as pa
import pyarrow.parquet as pq

from fanzha.v1.scoring_pb2 import Decision, GetDecisionRequest
from fanzha.v1.scoring_pb2_grpc import ScoringServiceStub
from fanzha_loadtest.tally import Answer, Tally

_CALL_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Count:
    """What was answered and what is in the archive."""

    rows: int
    """Records of all kinds in the archive's files."""
    kinds: dict[str, int]
    decisions_missing: int
    """Answered decisions that the archive does not hold."""
    decisions_doubled: int
    """Answered decisions that it holds more than once."""
    decisions_unasked: int
    """Decisions in the archive that no client got."""
    executions_missing: int
    outcomes_missing: int

    @property
    def lost_records(self) -> int:
        """Everything that a client was told is on record and is not."""
        return self.decisions_missing + self.executions_missing + self.outcomes_missing

    @property
    def agrees(self) -> bool:
        """Whether the archive holds exactly what the clients know of, each record once."""
        return not (self.lost_records or self.decisions_doubled or self.decisions_unasked)


def count_archive(archive: Path, tally: Tally) -> Count:
    """Read the archive's files and compare them with what the clients were answered.

    A recorded outcome has no id of its own among the archive's columns, so these are compared by
    number.
    """
    kinds, decisions, executions = _read(archive)
    answered = Counter(answer.decision_id for answer in tally.answers)
    executed = set(tally.executed)
    return Count(
        rows=sum(kinds.values()),
        kinds=dict(sorted(kinds.items())),
        decisions_missing=sum(1 for name in answered if name not in decisions),
        decisions_doubled=sum(1 for name in answered if decisions[name] > 1),
        decisions_unasked=sum(1 for name in decisions if name not in answered),
        executions_missing=len(executed - executions),
        outcomes_missing=max(0, tally.outcomes_recorded - kinds["outcome"]),
    )


def _read(archive: Path) -> tuple[Counter[str], Counter[str], set[str]]:
    """Return the rows by kind, decision ids with their number, and ids with an execution."""
    kinds: Counter[str] = Counter()
    decisions: Counter[str] = Counter()
    executions: set[str] = set()
    for file in _files(archive):
        # One file at a time: the folder's name must not become a column.
        table: pa.Table = pq.ParquetFile(file).read(columns=["kind", "decision_id"])
        for row in table.to_pylist():
            kind, name = row["kind"], row["decision_id"]
            kinds[kind] += 1
            if kind == "decision":
                decisions[name] += 1
            elif kind == "execution":
                executions.add(name)
    return kinds, decisions, executions


def _files(archive: Path) -> list[Path]:
    """Return the files that the archive's log names; all that lie there, where there is no log."""
    log = sorted((archive / "_log").glob("*.json"))
    if not log:
        return sorted(archive.glob("day=*/part-*.parquet"))
    commits = (json.loads(commit.read_bytes()) for commit in log)
    return [archive / file["path"] for commit in commits for file in commit.get("files", ())]


def ask_again(address: str, answers: list[Answer], count: int) -> list[str]:
    """Ask GetDecision about some answers, spread over time; return the ids that differ."""
    step = max(1, len(answers) // count)
    differing = []
    with grpc.insecure_channel(address) as channel:
        stub = ScoringServiceStub(channel)
        for answer in answers[::step][:count]:
            request = GetDecisionRequest(decision_id=answer.decision_id)
            found = stub.GetDecision(request, timeout=_CALL_TIMEOUT_S).decision
            same = (
                found.decision_id == answer.decision_id
                and found.decision == Decision.Value(f"DECISION_{answer.level.upper()}")
                and (found.score if found.HasField("score") else None) == answer.score
                and found.versions.model_version == answer.model_version
            )
            if not same:
                differing.append(answer.decision_id)
    return differing
