"""Trains a model: one head for each question that its labels can teach, and the types of fraud."""

from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xgboost as xgb

from fanzha.domain.errors import SetupError
from fanzha.domain.model import Head
from fanzha_training.calibrate import Calibration, calibrate, shifted
from fanzha_training.dataset import Dataset
from fanzha_training.drift.reference import Reference, reference_of
from fanzha_training.grow import Grown, TrainOptions, grow, margins
from fanzha_training.matrix import THREADS
from fanzha_training.one_machine import Machines, Progress, one_machine
from fanzha_training.split import Part, joined
from fanzha_training.typology import Typology, learn_types

_SAMPLE_ROWS: Final = 128
_MULES_MIN: Final = 20
"""Transfers of mules that a head needs, to grow trees on and again to be calibrated on."""


@dataclass(frozen=True, slots=True)
class TrainedHead:
    """The trees of one head, and how their margins become probabilities."""

    booster: xgb.Booster
    calibration: Calibration


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained model, in memory."""

    heads: dict[Head, TrainedHead]
    """In the order of `Head`; VICTIM is always there."""
    typology: Typology | None
    sample: npt.NDArray[np.float32]
    """Vectors of the calibration days that the export is proved with, float32 (rows, features)."""
    reference: Reference
    """What drift is measured against; goes to `reference.json`."""
    record: dict[str, Any]
    """Everything needed to train it again; goes to `training.json`."""

    @property
    def victim(self) -> TrainedHead:
        """The head that every model has."""
        return self.heads[Head.VICTIM]


def train(
    dataset: Dataset,
    options: TrainOptions,
    progress: Progress,
    machines: Machines | None = None,
) -> Trained:
    """Train on the earlier days of a data set and calibrate on later ones.

    Heads for mules are trained where enough is known of mules; else they are left out, and the
    record says why.

    Args:
        dataset: sorted by time.
        options: how to train.
        progress: told how many trees there are.
        machines: what to grow the trees on; None: this machine.

    Raises:
        SetupError: an option is out of range, the data set cannot be learned from, or nothing was
            learned that holds later.

    """
    heads, records, left_out = {}, {}, {}
    with nullcontext(machines) if machines else one_machine() as growing:
        grown = grow(dataset, options, progress, growing)
        split = grown.split
        victim = _head(grown, options.base_rate)
        heads[Head.VICTIM] = victim
        records[Head.VICTIM.value] = _record(grown, victim)
        for head in (Head.PAYEE_MULE, Head.PAYER_MULE):
            try:
                trees = _grow_mules(dataset.for_head(head), options, progress, growing)
                true_rate = shifted(trees.split.calibration.label, victim.calibration.prior_shift)
                heads[head] = _head(trees, true_rate)
            except SetupError as error:
                left_out[head.value] = str(error)
            else:
                records[head.value] = _record(trees, heads[head])
    typology = learn_types(joined(split.fit, split.tune), options, progress)
    record = {
        "command": options.command,
        "seed": options.seed,
        "threads": THREADS,
        "augment_share": options.augment_share,
        "delay_days": grown.delay_days,
        "times": asdict(split.times),
        "heads": records,
        "heads_left_out": left_out,
        "typology": None if typology is None else typology.record,
        "data": asdict(dataset.meta)
        | {
            "fingerprint": dataset.fingerprint(),
            "rows": len(dataset),
            "from_ms": int(dataset.time_ms[0]),
            "until_ms": int(dataset.time_ms[-1]),
            "features_without_values": list(dataset.features_without_values),
            "repaired": dataset.repaired,
        },
    }
    sample = _sample(split.calibration, np.random.default_rng(options.seed))
    margin = margins(victim.booster, split.calibration.vectors)
    reference = reference_of(split, victim.calibration, margin)
    return Trained(heads, typology, sample, reference, record)


def _grow_mules(
    dataset: Dataset, options: TrainOptions, progress: Progress, machines: Machines
) -> Grown:
    if int((dataset.label == 1).sum()) < _MULES_MIN:
        raise SetupError(
            f"fewer than {_MULES_MIN} transfers are known as a mule's; report mules as outcomes"
        )
    grown = grow(dataset, options, progress, machines)
    found = grown.split.calibration.frauds
    if found < _MULES_MIN:
        raise SetupError(
            f"only {found} transfers of the calibration days are known as a mule's, of "
            f"{_MULES_MIN} needed; report mules as outcomes, or train on more days"
        )
    return grown


def _head(grown: Grown, base_rate: float | None) -> TrainedHead:
    part = grown.split.calibration
    found = calibrate(margins(grown.booster, part.vectors), part.label, base_rate)
    return TrainedHead(grown.booster, found)


def _record(grown: Grown, head: TrainedHead) -> dict[str, Any]:
    split = grown.split
    parts = {"fit": split.fit, "tune": split.tune, "calibration": split.calibration}
    return {
        "parameters": grown.parameters,
        "trees": grown.trees,
        "tree_count_tuned": grown.tree_count_tuned,
        "rows": {
            name: {"transfers": len(part.label), "frauds": part.frauds}
            for name, part in parts.items()
        },
        "frauds_unknown_in_time": split.frauds_unknown_in_time,
        "calibration": asdict(head.calibration),
    }


def _sample(part: Part, randomness: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return some vectors of the part, a quarter of them fraud if there is so much."""
    fraud, rest = np.flatnonzero(part.label == 1), np.flatnonzero(part.label == 0)
    some = randomness.permutation(fraud)[: _SAMPLE_ROWS // 4]
    others = randomness.permutation(rest)[: _SAMPLE_ROWS - len(some)]
    return np.asarray(part.vectors[np.sort(np.concatenate([some, others]))])
