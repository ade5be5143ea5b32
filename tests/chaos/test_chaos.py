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

SHORT: tuple[tuple[type[Fault], ...], ...] = (
    # On one stage: what one fault leaves behind meets the next one.
    (RedisKilled, RedisFrozen, RedisEmptied, WorkerKilled),
    (SentinelFailover,),
    (ClusterNodeLost,),
)


@pytest.mark.parametrize("kinds", SHORT, ids=lambda kinds: "+".join(kind.name for kind in kinds))
def test_nothing_answered_is_lost_or_contradicted(
    kinds: tuple[type[Fault], ...], tmp_path: Path
) -> None:
    result = play([kind() for kind in kinds], SMALL, seed=7, say=lambda _: None, keep=tmp_path)

    assert result.violations == {}
    figures = result.figures
    # The load was really there; whether each fault was felt is one of the judge's questions.
    assert figures["answered"] > 100
    assert figures["answered_during"] > 20
    assert figures["acknowledged"] > 5
    assert figures["skew_compared"] > 50
