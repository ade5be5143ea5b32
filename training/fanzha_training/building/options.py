"""What all ways of building a data set share: options, and how labels are written and counted."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from fanzha_training.dataset import DAY_MS
from fanzha_training.labels import Labels

Say = Callable[[str], None]
"""Told what is being done, for people who wait."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How to build a data set. Times are milliseconds since 1970 UTC."""

    command: str
    as_of_ms: int | None = None
    """Nothing that became known later is looked at; None: the newest record."""
    label_delay_days: float = 7.0
    zone: str = "Asia/Shanghai"
    """The bank's time zone, an IANA name; features of the hour and the day follow its rules.
    Archives carry their own offsets."""
    parts: int | None = None
    """Into how many parts to cut the subjects; None: as the number of transfers asks for."""
    parts_min: int = 1
    """Where `parts` is None, at least so many: one for each worker."""
    currency: str = "CNY"
    simulated: bool | None = None
    """Whether the data were simulated; None: as the input says."""
    allow_differences: bool = False
    """Whether served vectors may differ from those that the archive's changes give."""

    @property
    def label_delay_ms(self) -> int:
        """The label delay in milliseconds."""
        return round(self.label_delay_days * DAY_MS)


def label_columns(labels: Labels) -> dict[str, object]:
    """Return the data set's columns that labels fill; null where there is none."""
    columns: dict[str, object] = {
        "fraud_type": pa.array(labels.fraud_type, mask=labels.fraud_type == 0),
        "weight": pa.array(labels.weight, mask=labels.weight == 1),
    }
    for name, label, known_ms in (
        ("label", labels.label, labels.known_ms),
        ("payee_mule", labels.payee_mule, labels.payee_mule_known_ms),
        ("payer_mule", labels.payer_mule, labels.payer_mule_known_ms),
    ):
        columns[name] = pa.array(label, mask=label < 0)
        columns[f"{name}_known_ms"] = pa.array(known_ms, mask=label < 0)
    return columns


def label_counts(labels: Labels) -> dict[str, int]:
    """Return how many transfers have which label."""
    return {
        "fraud": int((labels.label == 1).sum()),
        "legitimate": int((labels.label == 0).sum()),
        "unlabelled": int((labels.label < 0).sum()),
        "weakly_labelled": int((labels.weight < 1).sum()),
        "payee_mule": int((labels.payee_mule == 1).sum()),
        "payer_mule": int((labels.payer_mule == 1).sum()),
        **labels.counts,
    }


def rate() -> Callable[[int], str]:
    """Return a function that tells how many rows a second were done since now."""
    start = time.monotonic()

    def told(done: int) -> str:
        spent = time.monotonic() - start
        return f": {done / spent:,.0f} rows/s" if done and spent else ""

    return told
