"""What to compare with what."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from fanzha_training.drift.limits import Limits
from fanzha_training.drift.models import OneModel, References
from fanzha_training.drift.score_checks import Lines


@dataclass(frozen=True, slots=True)
class Options:
    """Days of an archive, and what they are compared with."""

    archive: Path
    first_day: date
    last_day: date
    zone: ZoneInfo
    label_delay_days: float
    lines: Lines
    limits: Limits
    against: References | OneModel
    skew: bool = True
