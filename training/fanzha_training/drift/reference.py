"""The reference of a model: what its features and its points looked like when it was trained.

It lies beside the model as `reference.json`, holds counts and shares and no transfer, and is the
same bytes every time. See docs/reference/drift.md for its keys.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from fanzha.domain.errors import SetupError
from fanzha.domain.vocabulary import Channel, CustomerSegment
from fanzha.features.manifest import FEATURE_INDEX, FEATURE_NAMES, manifest_hash
from fanzha_training.calibrate import Calibration
from fanzha_training.drift.bins import Bins, Values, bins_of
from fanzha_training.drift.psi import Floats
from fanzha_training.points import points_of
from fanzha_training.split import Part, Split, joined

REFERENCE_FILE: Final = "reference.json"

_ROWS_MAX: Final = 200_000
"""Of more rows every n-th is looked at: shares are then still right to a tenth of a percent."""
_DIGITS: Final = 9

Group = tuple[Channel, CustomerSegment]


@dataclass(frozen=True, slots=True)
class Sample:
    """Which rows something was taken from."""

    rows: int
    """Labelled transfers in the stretch of time."""
    looked_at: int
    from_ms: int
    until_ms: int
    """Exclusive."""
    frauds: int


@dataclass(frozen=True, slots=True)
class Reference:
    """What a model was trained on. Shares are of the true population, not of the sampled one."""

    feature_hash: str
    learned: Sample
    """Rows that trees were grown on, without the copies that lack history."""
    features: dict[str, Bins]
    """Of the rows learned from, by name, in the order of the vector."""
    calibrated: Sample
    """Rows of the calibration days, on which the model was not grown."""
    points: Bins
    """Of the calibration days."""
    points_mean: float
    points_deviation: float
    """Standard deviation."""
    points_by_group: dict[str, dict[int, float]]
    """Share of the calibration days with so many points in a channel and segment, such as
    MOBILE/RETIRED; all add up to 1."""

    def alert_rate(self, lines: dict[Group, int]) -> float:
        """Return the share of the calibration days with at least as many points as a line says.

        Args:
            lines: points for every channel and segment.

        """
        by_name = {_name(*group): points for group, points in lines.items()}
        return sum(
            share
            for group, shares in self.points_by_group.items()
            for points, share in shares.items()
            if points >= by_name[group]
        )


def reference_of(split: Split, calibration: Calibration, margin: Floats) -> Reference:
    """Return the reference of a model.

    Args:
        split: what it learned from and was calibrated on.
        calibration: how its margins become probabilities.
        margin: its margins on the calibration days, float64 (rows,).

    """
    learned = joined(_thinned(split.fit), _thinned(split.tune))
    vectors = np.asarray(learned.vectors)
    weights = _weights(learned, calibration)
    points = _some(points_of(calibration.log_odds(margin)))
    part = _thinned(split.calibration)
    part_weights = _weights(part, calibration)
    mean = float(np.average(points, weights=part_weights))
    variance = float(np.average((points - mean) ** 2, weights=part_weights))
    times = split.times
    return Reference(
        feature_hash=manifest_hash(),
        learned=Sample(
            rows=len(split.fit.label) + len(split.tune.label),
            looked_at=len(learned.label),
            from_ms=times.fit_from_ms,
            until_ms=times.train_until_ms,
            frauds=split.fit.frauds + split.tune.frauds,
        ),
        features={
            name: bins_of(vectors[:, place], weights) for place, name in enumerate(FEATURE_NAMES)
        },
        calibrated=Sample(
            rows=len(split.calibration.label),
            looked_at=len(part.label),
            from_ms=times.calibrate_from_ms,
            until_ms=times.cut_ms,
            frauds=split.calibration.frauds,
        ),
        points=bins_of(points.astype(np.float32), part_weights),
        points_mean=round(mean, _DIGITS),
        points_deviation=round(variance**0.5, _DIGITS),
        points_by_group=_by_group(np.asarray(part.vectors), points, part_weights),
    )


def _some(rows: Any) -> Any:  # noqa: ANN401 - an array, or vectors in a file
    return rows[:: -(-len(rows) // _ROWS_MAX) or 1]


def _thinned(part: Part) -> Part:
    return Part(_some(part.vectors), _some(part.label), _some(part.weight), _some(part.fraud_type))


def _weights(part: Part, calibration: Calibration) -> Floats:
    """Return how much each row counts, so that fraud is as rare as in the true population.

    The odds of fraud in the data are those of the population times exp(−prior_shift).
    """
    return np.where(part.label == 1, np.exp(calibration.prior_shift), 1.0)


def _by_group(
    vectors: Values, points: npt.NDArray[np.int64], weights: Floats
) -> dict[str, dict[int, float]]:
    codes = [
        np.nan_to_num(vectors[:, FEATURE_INDEX[name]]).astype(np.int64)
        for name in ("channel", "payer_segment")
    ]
    codes = [
        np.where(np.isin(code, list(known)), code, 0)
        for code, known in zip(codes, (Channel, CustomerSegment), strict=True)
    ]
    keys, place = np.unique(np.stack([*codes, points]), axis=1, return_inverse=True)
    share = np.bincount(place.reshape(-1), weights) / weights.sum()
    groups: dict[str, dict[int, float]] = {}
    for (channel, segment, at), part in zip(keys.T.tolist(), share, strict=True):
        group = groups.setdefault(_name(Channel(channel), CustomerSegment(segment)), {})
        group[at] = round(float(part), _DIGITS)
    return groups


def _name(channel: Channel, segment: CustomerSegment) -> str:
    return f"{channel.name}/{segment.name}"


def reference_text(reference: Reference) -> str:
    """Return the content of `reference.json`; the same for the same reference."""
    return msgspec.json.encode(reference).decode() + "\n"


def read_reference(file: Path) -> Reference:
    """Read `reference.json`.

    Raises:
        SetupError: it is missing or damaged.

    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=Reference)
    except (OSError, msgspec.DecodeError) as error:
        raise SetupError(
            f"{file} is no reference of a model: {error}; export the model again"
        ) from error
