"""The shorter form of `make chaos`: the faults that matter most, small, judged as strictly."""

from pathlib import Path

import pytest
from tests.chaos.faults import (
    ClusterNodeLost,
    Fault,
    RedisEmptied,
    RedisFrozen,
    RedisKilled,
    SentinelFailover,
    WorkerKilled,
)
from tests.chaos.run import play
from tests.chaos.stage import SMALL

SHORT = (
    WorkerKilled, RedisKilled, RedisFrozen, RedisEmptied, SentinelFailover, ClusterNodeLost,
)  # fmt: skip


@pytest.mark.parametrize("kind", SHORT, ids=lambda kind: kind.name)
def test_nothing_answered_is_lost_or_contradicted(kind: type[Fault], tmp_path: Path) -> None:
    result = play(kind(), SMALL, seed=7, say=lambda _: None, keep=tmp_path)

    assert result.violations == {}
    figures = result.figures
    # The fault was really there, and so was the load.
    assert figures["answered"] > 100
    assert figures["answered_during"] > 20
    assert figures["acknowledged"] > 5
    if kind.is_outage:
        assert figures["degraded_share_during"] > 0.5
        assert figures["skew_compared"] > 50
