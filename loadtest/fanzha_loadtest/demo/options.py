"""How large the demo is."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """What the demo plays. `full` and `fast` are measured to end in time on two cores."""

    fast: bool
    out: Path
    """Folder of the report."""
    models: Path
    """Folder of the models to start from; it is copied and never changed."""
    customers: int
    days: int
    fraud_per_million: float
    import_days: tuple[int, ...]
    """Before these days, counted from 0, the officers import what the police have confirmed."""
    trees: int
    seed: int = 2026
    start: str = "2026-09-01"
    """First simulated day; later than what the default model learned from."""
    label_delay_days: float = 4.0
    """Most reports come within this time; a real bank would wait for weeks."""


def full(out: Path, models: Path) -> Options:
    """Return the sizes of `make demo`: under four minutes."""
    return Options(
        fast=False,
        out=out,
        models=models,
        customers=600,
        days=24,
        fraud_per_million=5_000,
        import_days=(7, 12, 17, 21),
        trees=300,
    )


def fast(out: Path, models: Path) -> Options:
    """Return the sizes of `make demo-fast`: under a minute."""
    return Options(
        fast=True,
        out=out,
        models=models,
        customers=110,
        days=24,
        fraud_per_million=20_000,
        import_days=(10, 18),
        trees=120,
    )
