"""Plays one fault: load, fault, healing, quiet, archiving, judgement."""

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tests.chaos.answers import DECISION, FAILURE, Call
from tests.chaos.archived import read_archived
from tests.chaos.faults import Fault, Topology
from tests.chaos.judge import Verdict, Window, judge, longest_gap_s
from tests.chaos.stage import DURABLE, Size, Stage
from tests.redis_processes import ClusterSet, RedisProcess, SentinelSet

from fanzha.v1 import scoring_pb2 as scoring

_QUIET_S = 45.0
Say = Callable[[str], None]


@dataclass(slots=True)
class Result:
    """What one fault came to."""

    fault: str
    says: str
    skipped: str = ""
    """Why it was not played; empty: it was."""
    figures: dict[str, Any] = field(default_factory=dict)
    violations: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        """Say whether nothing was violated."""
        return not self.violations


def play(
    faults: Sequence[Fault], size: Size, seed: int, say: Say, keep: Path, *, keep_good: bool = False
) -> Result:
    """Play some faults, one after the other, on one stage of the first one's topology.

    Args:
        faults: what to break.
        size: how much is played.
        seed: of clients and proxies.
        say: told what is being done.
        keep: folder in which logs, spools and archive are left when something was violated.
        keep_good: leave them there in any case.
    """
    result = Result(
        "+".join(fault.name for fault in faults),
        "; then ".join(fault.says for fault in faults),
        "; ".join(why for fault in faults if (why := fault.why_not())),
    )
    if result.skipped:
        return result
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fzc-") as name:
        folder = Path(name)
        say("starting")
        with Stage(folder, size, seed, _store(faults[0].topology, folder / "redis")) as stage:
            for fault in faults:
                fault.prepare(stage)
            stage.begin()
            windows = [_break_and_heal(fault, stage, say) for fault in faults]
            _judge(stage, windows, result, say)
            for fault, window in zip(faults, windows, strict=True):
                touched = [call for call in stage.calls() if window.touches(call)]
                if not fault.was_felt(stage, touched):
                    result.violations["not_felt"] = [f"{fault.name} did not reach the service"]
        if result.violations or keep_good:
            shutil.rmtree(keep / result.fault, ignore_errors=True)
            shutil.copytree(
                folder, keep / result.fault, ignore=shutil.ignore_patterns("*.sock"),
                ignore_dangling_symlinks=True,
            )  # fmt: skip
    result.seconds = time.monotonic() - began_s
    return result


def _store(topology: Topology, folder: Path) -> RedisProcess | SentinelSet | ClusterSet:
    if topology == "sentinel":
        return SentinelSet(folder)
    if topology == "cluster":
        return ClusterSet(folder, "--cluster-require-full-coverage", "no")
    return RedisProcess(folder, *DURABLE)


def _break_and_heal(fault: Fault, stage: Stage, say: Say) -> Window:
    say("load")
    time.sleep(stage.size.before_s)
    say(fault.name)
    started_s = time.monotonic()
    fault.start(stage)
    held_s = time.monotonic()
    fault.hold(stage)
    heal_s = time.monotonic()
    fault.heal(stage)
    window = Window(started_s, held_s, heal_s, time.monotonic(), fault.is_outage)
    say("healed")
    time.sleep(stage.size.after_s)
    return window


def _judge(stage: Stage, windows: Sequence[Window], result: Result, say: Say) -> None:
    for client in stage.clients:
        client.finish()
    say("waiting until all is quiet")
    time.sleep(1.5)
    quiet_s = time.monotonic()
    stage.wait_until_whole(_QUIET_S)
    stage.find({call.decision_id for call in stage.calls() if call.kind == DECISION}, _QUIET_S)
    quiet_s = time.monotonic() - quiet_s
    for client in stage.clients:
        client.ask_again()
    for client in stage.clients:
        client.wait()
    calls = stage.calls()
    found = stage.find({call.decision_id for call in calls if call.kind == DECISION}, 5)
    say("archiving")
    stage.stop_service()
    archived = stage.archive_all()
    say("judging")
    verdict = judge(calls, read_archived(stage.archive), found, windows)
    _, audit = stage.run("fanzha", "audit", "verify", "--archive", str(stage.archive), "--json")
    _, skew = stage.run("fanzha_training", "skew", "--archive", str(stage.archive), "--json")
    result.violations = verdict.violations
    if audit["faults"]:
        result.violations["audit"] = [f"{x['place']}: {x['what']}" for x in audit["faults"]]
    if skew["differences"]:
        result.violations["skew"] = [str(example) for example in skew["examples"]]
    if late := _never_well(stage, calls, windows[-1]):
        result.violations["not_recovered"] = late
    result.figures = _figures(verdict, calls, windows) | {
        "quiet_after_ms": round(quiet_s * 1000),
        "archived_rows": audit["rows"],
        "spool_segments_dropped": archived["segments"],
        "audit_faults": len(audit["faults"]),
        "skew_compared": skew["compared"],
        "skew_after_gap": skew["after_gap"],
        "skew_differences": skew["differences"],
    }


def _never_well(stage: Stage, calls: list[Call], window: Window) -> list[str]:
    """Return the workers that live and gave no whole answer after the fault."""
    well = {
        call.worker
        for call in calls
        if call.kind == DECISION and call.sent_s > window.healed_s
        and not call.answer.degraded_parts
    }  # fmt: skip
    alive = {worker.number for worker in stage.workers} - stage.abandoned
    return [f"worker {number} gave no whole answer any more" for number in sorted(alive - well)]


def _figures(verdict: Verdict, calls: list[Call], windows: Sequence[Window]) -> dict[str, Any]:
    """Return what the report says, times in ms."""
    # What is asked again in the end is not load.
    load = [call for call in calls if call.attempt != "after"]
    answers = [call for call in load if call.kind == DECISION]
    during = [call for call in answers if any(one.touches(call) for one in windows)]
    calm = [call for call in answers if not any(one.touches(call) for one in windows)]
    healed_s = windows[-1].healed_s
    marked = [call for call in answers if call.answer.degraded_parts]
    parts = Counter(
        scoring.DegradedPart.Name(part).removeprefix("DEGRADED_PART_").lower()
        for call in during
        for part in call.answer.degraded_parts
    )
    failures = Counter(call.detail.split(":")[0] for call in load if call.kind == FAILURE)
    whole = [
        call.ended_s
        for call in answers
        if call.sent_s >= healed_s and not call.answer.degraded_parts
    ]
    clients = {call.client for call in answers}
    return {
        "answered": len(answers),
        "answered_during": len(during),
        "acknowledged": verdict.acknowledged,
        "reports_too_early": verdict.reports_too_early,
        "lost": len(verdict.lost),
        "contradicted": len(verdict.contradicted),
        "degraded": len(marked),
        "degraded_share_during": round(
            sum(bool(call.answer.degraded_parts) for call in during) / max(1, len(during)), 4
        ),
        "degraded_parts_during": dict(sorted(parts.items())),
        "longest_gap_ms": round(longest_gap_s(answers) * 1000),
        "longest_client_gap_ms": round(
            1000 * max(longest_gap_s(x for x in answers if x.client == one) for one in clients)
        ),
        **_latencies("", calm),
        **_latencies("_during", during),
        "recovered_after_ms": round(1000 * (min(whole) - healed_s)) if whole else None,
        "reconciled": verdict.reconciled,
        "same_answer_twice": verdict.same_answer_twice,
        "failures": dict(failures),
        "fault_ms": round(1000 * sum(one.healed_s - one.started_s for one in windows)),
    }


def _latencies(name: str, calls: list[Call]) -> dict[str, float]:
    took = [call.took_ms for call in calls] or [0.0]
    return {f"p{at}_ms{name}": round(float(np.percentile(took, at)), 1) for at in (50, 99)}
