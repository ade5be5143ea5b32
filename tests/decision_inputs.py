"""Builds what `decide` reads; a test states only what it is about."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from fanzha.domain.decision import Score
from fanzha.domain.evidence import AccountState, Evidence, ListHit, ListSubject, WatchlistEntry
from fanzha.domain.scored import Scored
from fanzha.domain.transfer import Party, Transfer
from fanzha.domain.vocabulary import (
    Channel,
    CustomerSegment,
    DegradedPart,
    PartyType,
    TransferKind,
    WatchlistGrade,
    WatchlistKind,
)
from fanzha.features.manifest import FEATURE_INDEX, FEATURES
from fanzha.pipeline.decide import Decided, decide
from fanzha.pipeline.explain import NO_EXPLANATION, Explanation
from fanzha.policy.load import load_policy
from fanzha.policy.policy import Policy
from fanzha.policy.prompts import PromptCatalogue, load_prompts

NOW_MS = 1_790_000_000_000
DECISION_ID = "01K5HZ0000000000000000000A"
POLICY = load_policy()
PROMPTS = load_prompts()

_POLICY_HEAD = """\
version: "test"
hold_hours: 24
thresholds:
  default: {confirm_points: 560, pause_points: 700}
score_reasons:
  confirm: {zh: "评分{score_points:.0f}", en: "Score {score_points:.0f}"}
  pause: {zh: "评分{score_points:.0f}", en: "Score {score_points:.0f}"}
essential_reason: {zh: 民生缴费, en: Essential payment}
notice:
  general_cause_zh: 该笔交易需要核实。
  general_cause_en: This payment needs a check.
  objection_zh: 可以到网点提出申诉。
  objection_en: You may object at any branch.
  documents_zh: [本人有效身份证件]
  documents_en: [Your identity document]
rules:
"""


def a_policy(folder: Path, *rules: str) -> Policy:
    """Return a policy of these rules, each one line of YAML in flow style."""
    path = folder / "policy.yaml"
    path.write_text(_POLICY_HEAD + "".join(f"  - {rule}\n" for rule in rules) or "  []\n")
    return load_policy(path)


def a_transfer(
    *,
    amount_minor: int = 10_000,
    kind: TransferKind = TransferKind.TRANSFER,
    channel: Channel = Channel.MOBILE,
    segment: CustomerSegment = CustomerSegment.UNSPECIFIED,
    has_payee: bool = True,
) -> Transfer:
    """Return a transfer of 100 yuan by mobile bank."""
    return Transfer(
        caller="core",
        request_id="r-1",
        request_digest=bytes(16),
        transfer_id="t-1",
        kind=kind,
        channel=channel,
        create_time_ms=NOW_MS,
        currency="CNY",
        amount_minor=amount_minor,
        base_amount_minor=amount_minor,
        payer=Party(b"p" * 16, type=PartyType.PERSON, segment=segment),
        payee=Party(b"q" * 16) if has_payee else None,
    )


def an_entry(
    kind: WatchlistKind = WatchlistKind.ACCOUNT,
    grade: WatchlistGrade = WatchlistGrade.INVOLVED,
) -> WatchlistEntry:
    """Return a list entry."""
    return WatchlistEntry(kind, grade, "公安机关", "A1", "261", 0, 2**60, "one", "two")


PAYEE_INVOLVED = ListHit(ListSubject.PAYEE_ACCOUNT, an_entry())
PAYER_INVOLVED = ListHit(ListSubject.PAYER_ACCOUNT, an_entry())
VERIFIED_BILLER = ListHit(
    ListSubject.PAYEE_ACCOUNT,
    an_entry(WatchlistKind.VERIFIED_BILLER, WatchlistGrade.UNSPECIFIED),
)


def an_evidence(*hits: ListHit) -> Evidence:
    """Return evidence of which every part could be read."""
    return Evidence(AccountState(), AccountState(), hits, "lists-1")


def a_vector(**features: float) -> npt.NDArray[np.float32]:
    """Return features that are all unknown but those given."""
    vector = np.full(len(FEATURES), np.nan, np.float32)
    for name, value in features.items():
        vector[FEATURE_INDEX[name]] = value
    return vector


def a_score(points: int) -> Score:
    """Return a score."""
    return Score(0.0, 0.5, points, "champion/1")


def decided(
    transfer: Transfer | None = None,
    evidence: Evidence | None = None,
    vector: npt.NDArray[np.float32] | None = None,
    *,
    points: int | None = None,
    score: Score | None = None,
    explained: Explanation = NO_EXPLANATION,
    policy: Policy = POLICY,
    prompts: PromptCatalogue = PROMPTS,
    degraded: tuple[DegradedPart, ...] = (),
    now_ms: int = NOW_MS,
) -> Decided:
    """Return what is decided; whatever is left out is ordinary or unknown."""
    features = a_vector() if vector is None else vector
    if points is not None:
        score = a_score(points)
    return decide(
        transfer or a_transfer(),
        evidence or an_evidence(),
        Scored(b"", features.tobytes(), score),
        features,
        policy,
        prompts,
        lambda _head: explained,
        decision_id=DECISION_ID,
        now_ms=now_ms,
        degraded=degraded,
        service_version="0.1.0",
    )
