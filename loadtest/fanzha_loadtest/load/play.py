"""Plays a profile: the open loop in this process, the users beside it in one of their own."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from fanzha.v1.scoring_pb2 import GetDecisionRequest, ScoreTransferResponse
from fanzha.v1.scoring_pb2_grpc import ScoringServiceStub
from fanzha_loadtest.chained_driver import ChainedDriver
from fanzha_loadtest.driver import Load
from fanzha_loadtest.load.answers import Kept, Seen, Traffic
from fanzha_loadtest.load.figures import Played
from fanzha_loadtest.load.place import Place
from fanzha_loadtest.load.users import Users
from fanzha_loadtest.profile.profile import Profile
from fanzha_loadtest.traffic.attempts import Attempts
from fanzha_loadtest.traffic.bank import Bank

_ASK_S = 5.0


@dataclass(slots=True)
class Run:
    """What a profile came to."""

    played: list[Played] = field(default_factory=list)
    asked: int = 0
    found: int = 0
    """Decisions that GetDecision returned as they were answered, of those asked for."""
    users: dict[str, Any] | None = None
    """What the users saw, in a closed loop; None without users."""


def play(
    profile: Profile, file: Path, place: Place, folder: Path, told: Callable[[str], None]
) -> Run:
    """Play all phases, and look for a sample of the decisions afterwards.

    Args:
        profile: what to play.
        file: where it was read from, for the users' process.
        place: where the service is.
        folder: for what that process writes.
        told: is told of each phase that begins.

    Raises:
        OSError: the service does not answer.
        PlaceError: its files cannot be used.
        UsersError: the users did not run.

    """
    run, kept = Run(), Kept()
    given = profile.open_loop
    driver = ChainedDriver(
        place.target(), connections=given.connections, deadline_ms=given.deadline_ms
    )
    users = Users(file, place, folder) if profile.has_users else None
    try:
        if users is not None:
            told("the users begin")
            users.wait_until_begun()
        rng = random.Random(profile.seed)  # noqa: S311 - a load, not a secret
        attempts = Attempts(Bank(profile.bank.size), rng, f"o{time.time_ns() // 1_000_000:x}")
        for phase in profile.phases:
            told(f"{phase.name}: {phase.mean_rate:,.0f} calls a second for {phase.seconds:g} s")
            if not phase.mean_rate:
                time.sleep(phase.seconds)
                run.played.append(Played(phase, Load(0.0, phase.seconds), Seen()))
                continue
            traffic = Traffic(profile, phase, attempts, rng, driver, kept)
            driver.on_end = traffic.on_end
            load = driver.open(
                traffic.messages(), phase.rate_at, phase.seconds, rng.getrandbits(32)
            )
            run.played.append(Played(phase, load, traffic.seen))
        if users is not None:
            told("the users end")
            run.users = users.result()
    finally:
        driver.close()
        if users is not None:
            users.stop()
    told("decisions are looked for")
    run.asked, run.found = len(kept.sample), found_again(place, kept.sample)
    return run


def found_again(place: Place, answers: list[ScoreTransferResponse]) -> int:
    """Return how many answers GetDecision returns exactly as they were given."""
    found = 0
    with place.channel() as channel:
        stub = ScoringServiceStub(channel)
        for answer in answers:
            request = GetDecisionRequest(decision_id=answer.decision_id)
            try:
                found += stub.GetDecision(request, timeout=_ASK_S).decision == answer
            except grpc.RpcError:
                continue
    return found
