"""What one decision pays between facts and answer, beside two floors.

The floors are an ONNX graph that does nothing and a CEL program that says true. Transfers are such
as pass without a prompt, and each has histories of its own.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

import numpy as np
from cel_expr_python import cel
from tests.bench.machine import Spread, seconds_of, spread
from tests.bench.one_row import NOW_MS, a_row, identity_call
from tests.decision_inputs import DECISION_ID, POLICY, PROMPTS, a_transfer

from fanzha.adapters.onnx_model import OnnxModel
from fanzha.domain.evidence import Evidence
from fanzha.domain.scored import Scored
from fanzha.domain.transfer import Party, Session, Transfer
from fanzha.domain.vocabulary import (
    Channel,
    CustomerSegment,
    DecisionKind,
    NameMatch,
    PartyType,
    TransferSpeed,
)
from fanzha.pipeline.decide import Decided, decide
from fanzha.pipeline.explain import explainer
from fanzha.pipeline.score import score, score_all
from fanzha.policy.fact import Sources
from fanzha.registry.model_folder import read_model_folder

ROWS = 1_000
ROUNDS = 9
BATCH = 64
CHINA = timezone(timedelta(hours=8))

Case = tuple[Transfer, Evidence]


def measure(model: Path) -> dict[str, Spread]:
    """Return microseconds a decision by step, and ratios to the floors, in interleaved rounds."""
    champion = OnnxModel(read_model_folder(model))
    cases = passing_cases(champion, ROWS)
    found = [score(*case, champion, CHINA) for case in cases]
    sources = [
        Sources(*case, scored.score, vector.tolist())
        for case, (scored, vector) in zip(cases, found, strict=True)
    ]
    vectors = [vector for _, vector in found]
    identity, empty = identity_call(), cel.NewEnv().compile("true")
    steps: dict[str, Callable[[], object]] = {
        "identity": lambda: [identity(vector) for vector in vectors],
        "empty_program": lambda: [empty.eval().plain_value() for _ in cases],
        "policy": lambda: [POLICY.evaluate(each, NOW_MS) for each in sources],
        "score": lambda: [score(*case, champion, CHINA) for case in cases],
        "score_of_64": lambda: [
            score_all(cases[start : start + BATCH], champion, CHINA)
            for start in range(0, len(cases), BATCH)
        ],
        "decide": lambda: [
            _decided(champion, case, *one) for case, one in zip(cases, found, strict=True)
        ],
    }
    for work in steps.values():
        work()
    rounds = [{name: seconds_of(work) for name, work in steps.items()} for _ in range(ROUNDS)]
    return {
        "policy_over_empty_program": spread([x["policy"] / x["empty_program"] for x in rounds]),
        "score_and_decide_over_identity": spread(
            [(x["score"] + x["decide"]) / x["identity"] for x in rounds]
        ),
    } | {
        f"{name}_us": spread([1e6 * seconds[name] / len(cases) for seconds in rounds])
        for name in steps
        if name != "identity"
    }


def passing_cases(champion: OnnxModel, wanted: int) -> list[Case]:
    """Return so many transfers by mobile bank that are answered with ALLOW."""
    cases: list[Case] = []
    number = 0
    while len(cases) < wanted:
        case = _a_case(number)
        number += 1
        decided = _decided(champion, case, *score(*case, champion, CHINA))
        if decided.decision.kind is DecisionKind.ALLOW:
            cases.append(case)
    return cases


def _a_case(number: int) -> Case:
    rng = np.random.default_rng(number)
    _, payer, payee, links = a_row(rng)
    transfer = replace(
        a_transfer(amount_minor=int(rng.integers(1_000, 20_000)), channel=Channel.MOBILE),
        create_time_ms=NOW_MS + number,
        speed=TransferSpeed.REAL_TIME,
        balance_before_minor=10_000_000,
        payee_name_match=NameMatch.MATCH,
        payee_same_owner=False,
        payee_same_bank=True,
        payer=Party(
            b"p" * 16,
            phone=b"f" * 16,
            type=PartyType.PERSON,
            segment=CustomerSegment.WORKER,
            open_day=15_000,
            open_channel=Channel.COUNTER,
        ),
        payee=Party(b"q" * 16, type=PartyType.PERSON, open_day=15_500),
        session=Session(b"d" * 16, *(False,) * 6),
    )
    return transfer, Evidence(payer, payee, (), "lists-1", links)


def _decided(champion: OnnxModel, case: Case, scored: Scored, features: np.ndarray) -> Decided:
    transfer, evidence = case
    return decide(
        transfer,
        evidence,
        scored,
        features,
        POLICY,
        PROMPTS,
        explainer(champion, features),
        decision_id=DECISION_ID,
        now_ms=NOW_MS + ROWS,
        degraded=(),
        service_version="bench",
    )
