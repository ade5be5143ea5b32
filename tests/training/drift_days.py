"""Days of an archive with as many decisions as wanted, and a model whose reference they meet."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tests.training.learnable import QUICK, a_dataset, saved, trained_on

from fanzha.archive import schema
from fanzha.domain.ids import new_decision_id
from fanzha.domain.vocabulary import Channel, CustomerSegment, DecisionKind, OutcomeSource
from fanzha.features.facts import FACTS, PAYER_LIST_GRADE, UNKNOWN
from fanzha.features.links import LINKS
from fanzha.features.manifest import FEATURE_INDEX
from fanzha_training.export import export
from fanzha_training.points import points_of
from fanzha_training.scorer import Scorer, load_scorer

DAY = date(2026, 8, 3)
DAY_MS = 86_400_000
MODEL = "fraud/1"


@dataclass(frozen=True)
class World:
    """Transfers of one kind, a model that learned from them, and their true frauds."""

    models: Path
    scorer: Scorer
    vectors: np.ndarray
    fraud: np.ndarray

    def some(self, rows: int, rng: np.random.Generator) -> np.ndarray:
        """Rows of transfers, drawn from those that the model was calibrated on and evaluated by."""
        return rng.integers(len(self.vectors), size=rows)


def a_world(folder: Path, rows: int = 12_000) -> World:
    """Train and export a model; other transfers of the same kind are what its service sees."""
    dataset = a_dataset(folder / "dataset.parquet", rows=rows)
    saved(folder / "trained", trained_on(dataset, replace(QUICK, seed=3)))
    export(folder / "trained", folder / "models", "fraud", "1", command="fanzha-training export")
    later = a_dataset(folder / "later.parquet", rows=rows, seed=2)
    scorer = load_scorer(folder / "models" / "fraud" / "1")
    return World(folder / "models", scorer, later.vectors, later.label == 1)


@dataclass
class ServedDay:
    """Decisions of one local day in Asia/Shanghai; `write` puts them into an archive."""

    world: World
    vectors: np.ndarray
    day: date = DAY
    model: str | None = MODEL
    seed: int = 1
    points_added: int = 0
    lost_payer: np.ndarray | None = None
    """Rows whose payer's history could not be read."""
    lists_away: bool = False
    frauds: list[int] = field(default_factory=list)
    """Rows that are reported as fraud, the day after."""

    def write(self, archive: Path, part: str = "a") -> list[str]:
        """Write the day; return the decisions' ids."""
        rows = list(self._rows())
        for utc_day in {_utc_day(row["record_time_ms"]) for row in rows}:
            folder = archive / f"day={utc_day}"
            folder.mkdir(parents=True, exist_ok=True)
            chosen = [row for row in rows if _utc_day(row["record_time_ms"]) == utc_day]
            columns = {name: [row.get(name) for row in chosen] for name in schema.SCHEMA.names}
            table = pa.table(columns, schema=schema.SCHEMA)
            pq.write_table(table, folder / f"part-{self.day}-{part}.parquet")
        return [row["decision_id"] for row in rows if row["kind"] == "decision"]

    def _rows(self) -> Iterator[dict[str, Any]]:
        rng = random.Random(f"{self.day}{self.seed}")
        start_ms = int(
            datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC).timestamp()
        )
        start_ms = start_ms * 1000 - 8 * 3_600_000
        margin = self.world.scorer.margins(self.vectors)
        calibration = self.world.scorer.calibration
        points = points_of(calibration.slope * margin + calibration.intercept) + self.points_added
        probability = calibration.probability(margin)
        facts = [0] * len(FACTS)
        if self.lists_away:
            facts[PAYER_LIST_GRADE] = UNKNOWN
        for row, vector in enumerate(self.vectors):
            time_ms = start_ms + row * DAY_MS // len(self.vectors)
            lost = self.lost_payer is not None and bool(self.lost_payer[row])
            decision_id = new_decision_id(time_ms, 0, rng.randbytes(9))
            scored = {
                "points": int(np.clip(points[row], 0, 1000)),
                "margin": float(margin[row]),
                "probability": float(probability[row]),
                "model_version": self.model,
            }
            yield {
                "record_id": f"{self.day}-{self.seed}-{row}",
                "kind": schema.KIND_DECISION,
                "bucket": 0,
                "record_time_ms": time_ms,
                "account": rng.randbytes(16),
                "decision_id": decision_id,
                "request_id": f"r{self.day}-{self.seed}-{row}",
                "create_time_ms": time_ms,
                "channel": int(Channel.UNSPECIFIED),
                "payer_segment": int(CustomerSegment.UNSPECIFIED),
                "base_amount_minor": 100,
                "decision": int(DecisionKind.ALLOW),
                "payer_seq": -1 if lost else 0,
                "payee_seq": -1,
                "links": [None] * len(LINKS),
                "link_seqs": [-1] * len(LINKS),
                "facts": facts,
                "vector": vector,
            } | (scored if self.model is not None else {"model_version": ""})
            if row in self.frauds:
                yield {
                    "record_id": f"o{self.day}-{self.seed}-{row}",
                    "kind": schema.KIND_OUTCOME,
                    "bucket": 0,
                    "record_time_ms": time_ms + DAY_MS,
                    "decision_id": decision_id,
                    "outcome_id": "o1",
                    "outcome_source": int(OutcomeSource.POLICE),
                    "outcome_type": 1,
                    "fraud_type": 1,
                    "report_time_ms": time_ms + DAY_MS,
                }


def _utc_day(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).date().isoformat()


def column(name: str) -> int:
    """Return the place of a feature in the vector."""
    return FEATURE_INDEX[name]
