"""Outcomes told to a real service become the labels, and the history, that training reads."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.builders import a_request, a_time
from tests.conftest import Service
from tests.contract.test_served_parity import archive, wait_until_relayed

from fanzha.features.manifest import FEATURE_INDEX
from fanzha.v1 import outcomes_pb2 as outcomes
from fanzha.v1 import outcomes_pb2_grpc, scoring_pb2_grpc
from fanzha_training.building.from_archive import build_from_archive
from fanzha_training.building.options import BuildOptions
from fanzha_training.dataset import DAY_MS, UNLABELLED, load_dataset

POLICE, REVIEW = outcomes.OUTCOME_SOURCE_POLICE, outcomes.OUTCOME_SOURCE_BANK_REVIEW
CUSTOMER, CHANNEL = outcomes.OUTCOME_SOURCE_CUSTOMER, outcomes.OUTCOME_SOURCE_CHANNEL
FRAUD = outcomes.OUTCOME_TYPE_CONFIRMED_FRAUD
LEGITIMATE = outcomes.OUTCOME_TYPE_CONFIRMED_LEGITIMATE
MULE, INSISTED = outcomes.OUTCOME_TYPE_MULE_CONFIRMED, outcomes.OUTCOME_TYPE_CUSTOMER_INSISTED

Told = list[tuple[Any, Any, int, int | None]]
"""Type, source, days before now when it was reported, and when it was taken back."""

STORIES: dict[str, tuple[int, Told, tuple[int, float, int]]] = {
    # Days before now of the payment; what is told; label, weight, label of the payee's account.
    "told late": (30, [(FRAUD, POLICE, 1, None)], (1, 1, 1)),
    "told twice": (20, [(FRAUD, CUSTOMER, 15, None), (FRAUD, POLICE, 14, None)], (1, 1, 1)),
    "claimed": (20, [(FRAUD, CUSTOMER, 15, None)], (1, 0.5, UNLABELLED)),
    "contradicted": (20, [(FRAUD, POLICE, 15, None), (LEGITIMATE, REVIEW, 9, None)], (0, 1, 0)),
    "contradicted too late": (
        20, [(LEGITIMATE, REVIEW, 9, None), (FRAUD, POLICE, 15, None)], (0, 1, 0),
    ),
    "taken back": (20, [(FRAUD, POLICE, 15, 4)], (0, 1, 0)),
    "taken back while young": (3, [(FRAUD, POLICE, 2, 1)], (UNLABELLED, 1, UNLABELLED)),
    "a mule alone": (20, [(MULE, POLICE, 15, None)], (UNLABELLED, 1, 1)),
    "a hint alone": (3, [(INSISTED, CHANNEL, 3, None)], (0, 0.2, UNLABELLED)),
    "nobody may say so": (20, [(MULE, CUSTOMER, 15, None)], (0, 1, 0)),
    "silence": (20, [], (0, 1, 0)),
}  # fmt: skip


@pytest.fixture
def played(start_service: Callable[..., Service], tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """An archive of a service that was told all stories, and the request ids of their payments."""
    service = start_service("--clock", "event")
    scoring: Any = scoring_pb2_grpc.ScoringServiceStub(service.channel)
    stub: Any = outcomes_pb2_grpc.OutcomeServiceStub(service.channel)
    now_ms = time.time_ns() // 1_000_000

    def pay(name: str, days: int, payee: str) -> str:
        name = name.replace(" ", "-")
        request = a_request(name, payer="6222020", payee=payee, time_ms=now_ms - days * DAY_MS)
        return str(scoring.ScoreTransfer(request).decision_id)

    decided = {
        name: pay(name, days, f"62170{number:04}")
        for number, (name, (days, _, _)) in enumerate(
            sorted(STORIES.items(), key=lambda item: -item[1][0])
        )
    }
    # The service's clock follows its transfers.
    pay("now", 0, "62170")
    for name, (_, told, _) in STORIES.items():
        for number, (kind, source, days, withdrawn) in enumerate(told):
            outcome = outcomes.Outcome(
                outcome_id=f"o-{number}",
                decision_id=decided[name],
                type=kind,
                source=source,
                report_time=a_time(now_ms - days * DAY_MS),
            )
            stub.RecordOutcome(outcomes.RecordOutcomeRequest(outcome=outcome))
            if withdrawn is not None:
                stub.WithdrawOutcome(
                    outcomes.WithdrawOutcomeRequest(
                        decision_id=decided[name],
                        outcome_id=outcome.outcome_id,
                        source=source,
                        report_time=a_time(now_ms - withdrawn * DAY_MS),
                    )
                )
    wait_until_relayed(service.redis_url)
    again = {
        name: pay(f"{name} again", 0, f"62170{number:04}") for number, name in enumerate(decided)
    }
    wait_until_relayed(service.redis_url)
    archive(service.redis_url, tmp_path / "archive")
    return tmp_path / "archive", again


def test_labels_and_features_follow_what_stands(
    played: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    folder, again = played
    out = tmp_path / "dataset.parquet"

    summary = build_from_archive(folder, out, BuildOptions(command="build"), lambda _: None)

    dataset = load_dataset(out)
    ids = load_ids(out)
    row_of = {name.replace("-", " "): row for row, name in enumerate(ids)}
    found = {
        name: (
            int(dataset.label[row_of[name]]),
            round(float(dataset.weight[row_of[name]]), 3),
            int(dataset.payee_mule[row_of[name]]),
        )
        for name in STORIES
    }
    assert found == {name: expected for name, (_, _, expected) in STORIES.items()}
    assert summary["vector_differences"] == 0
    assert summary["outcomes_contradicted"] == 2
    assert summary["outcomes_withdrawn"] == 2
    assert summary["outcomes_not_entitled"] == 1
    reports = dataset.vectors[:, FEATURE_INDEX["payee_mule_reports"]]
    named = {name for name in again if reports[row_of[f"{name} again"]] > 0}
    assert named == {"told late", "told twice", "claimed", "a mule alone"}
    assert max(reports) == 1


def load_ids(path: Path) -> list[str]:
    """Return the request ids of a data set, in its order."""

    ids: list[str] = pq.read_table(path, columns=["request_id"])["request_id"].to_pylist()
    return ids
