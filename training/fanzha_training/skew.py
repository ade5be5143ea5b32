"""Training-serving skew: served vectors against those that the archived changes give.

Bit for bit the same, or something between service and training is wrong.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fanzha.features.fold import fold
from fanzha.features.manifest import FEATURE_NAMES
from fanzha_training.building.archive_history import Replay, replay_of
from fanzha_training.building.archive_source import Archive

_EXAMPLES: Final = 10


@dataclass(frozen=True, slots=True)
class Comparison:
    """Vectors of an archive's decisions, float32 (decisions, features), by time."""

    archive: Archive
    replay: Replay
    recomputed: npt.NDArray[np.float32]
    differs: npt.NDArray[np.bool_]
    """Where a bit differs, (decisions, features); false for decisions that are not compared."""

    @property
    def differing(self) -> npt.NDArray[np.int64]:
        """Rows of the decisions that differ."""
        return np.flatnonzero(self.differs.any(axis=1))

    def decision_id(self, row: int) -> str:
        """Return the id of the decision in a row."""
        return str(self.archive.decisions.frame["decision_id"][int(row)])


def compare(archive: Archive) -> Comparison:
    """Compute every served vector again; decisions after a gap in a sequence are not compared."""
    replay = replay_of(archive.decisions, archive.changes)
    recomputed = fold(archive.decisions.facts, replay.steps)
    differs = recomputed.view(np.uint32) != archive.decisions.vectors.view(np.uint32)
    return Comparison(archive, replay, recomputed, differs & replay.whole[:, np.newaxis])


def report_of(found: Comparison) -> dict[str, Any]:
    """Return what differs: counts, by feature, and the first decisions with both values."""
    by_feature = found.differs.sum(axis=0)
    return {
        "decisions": len(found.replay.whole),
        "compared": int(found.replay.whole.sum()),
        "after_gap": int((~found.replay.whole).sum()),
        "subjects_with_gaps": found.replay.subjects_with_gaps,
        **{name: count for name, count in found.archive.dropped.items() if count},
        "differences": len(found.differing),
        "features": {FEATURE_NAMES[at]: int(by_feature[at]) for at in np.flatnonzero(by_feature)},
        "examples": [_example(found, row) for row in found.differing[:_EXAMPLES]],
    }


def _example(found: Comparison, row: int) -> dict[str, Any]:
    served = found.archive.decisions.vectors
    time_ms = found.archive.decisions.frame["create_time_ms"][int(row)]
    return {
        "decision_id": found.decision_id(row),
        "create_time": datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(),
        "served_and_recomputed": {
            FEATURE_NAMES[at]: [str(served[row, at]), str(found.recomputed[row, at])]
            for at in np.flatnonzero(found.differs[row])
        },
    }
