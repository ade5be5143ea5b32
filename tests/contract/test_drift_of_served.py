"""What a running service archives can be checked for drift: its days, its outages, its bits."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import grpc
import numpy as np
from tests.builders import a_request
from tests.conftest import Service
from tests.contract.test_served_parity import archive, wait_until_relayed
from tests.model_folders import Bank
from tests.people import a_person
from tests.training.drift_days import MODEL, a_world

from fanzha.adapters.embedded_redis import EmbeddedRedis
from fanzha.registry.model_folder import sign_model
from fanzha.v1 import scoring_pb2_grpc

BEFORE, DURING = 30, 6
ZONE = ZoneInfo("Asia/Shanghai")


def pay(channel: grpc.Channel, first: int, count: int) -> list[str]:
    stub = scoring_pb2_grpc.ScoringServiceStub(channel)
    now_ms = time.time_ns() // 1_000_000
    ids = []
    for number in range(first, first + count):
        request = a_request(
            payer=f"62220202{number % 7:011d}", payee=f"62170000{number % 5:011d}", time_ms=now_ms
        )
        request.transfer.payer.phone = f"100{number % 3:08}"
        ids.append(stub.ScoreTransfer(request).decision_id)
    return ids


def drift(archive_folder: Path, models: Path, limits: Path) -> tuple[int, dict[str, Any]]:
    # Two days: midnight may pass while the test runs.
    command = [sys.executable, "-m", "fanzha_training", "drift", "--archive", str(archive_folder)]
    command += ["--models", str(models), "--days", "2", "--limits", str(limits), "--json"]
    day = datetime.now(ZONE).date()
    done = subprocess.run(
        [*command, "--day", str(day)], capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


def test_a_served_day_is_told_with_its_outage(
    start_service: Callable[..., Service], short_dir: Path
) -> None:
    world = a_world(short_dir / "world", rows=3_000)
    private = short_dir / "private"
    keys = world.models / "keys"
    pipeline = a_person("pipeline", private, keys, is_machine=True)
    sign_model(world.models / MODEL, pipeline)
    people = (a_person(name, private, keys) for name in ("anna", "bo"))
    Bank(world.models, private, pipeline, *people).promote(MODEL)
    limits = short_dir / "limits.yaml"
    limits.write_text("rows_min: 2\ndegraded: {warn: 0.01, alarm: 0.9}\n")
    folder = short_dir / "archive"
    store = EmbeddedRedis(short_dir / "redis-apart")
    try:
        service = start_service(
            "--redis", store.url, "--redis-timeout-ms", "100", "--models", str(world.models)
        )
        whole = pay(service.channel, 0, BEFORE)
        wait_until_relayed(store.url)
        os.kill(store.pid, signal.SIGSTOP)
        blind = pay(service.channel, BEFORE, DURING)
        os.kill(store.pid, signal.SIGCONT)
        service.stop()
        start_service("--redis", store.url, "--models", str(world.models)).stop()
        archive(store.url, folder)

        code, summary = drift(folder, world.models, limits)
    finally:
        os.kill(store.pid, signal.SIGCONT)
        store.close()

    days = [day for day in summary["days"] if day["decisions"]]
    lacking = {part: sum(day["lacking"][part] for day in days) for part in days[0]["lacking"]}
    assert sum(day["decisions"] for day in days) == len(whole) + len(blind)
    assert lacking == {
        "payer_history": DURING, "payee_history": DURING, "links": DURING, "lists": DURING,
        "score": 0,
    }  # fmt: skip
    skew = [day["skew"] for day in days]
    assert sum(each["differing"] for each in skew) == 0
    assert sum(each["compared"] for each in skew) == len(whole) + len(blind)
    # The world's features are noise, so a real payment looks strange to its model.
    assert code == 3
    assert any(each["check"] == "outside" for each in summary["findings"])
    models = {each["model"]: each["decisions"] for day in days for each in day["models"]}
    assert sum(models.values()) == len(whole)
    assert set(models) == {MODEL}
    assert np.isfinite([each["found"] for each in summary["findings"]]).all()
    assert days[-1]["day"] >= str(datetime.now(ZONE).date() - timedelta(days=1))
