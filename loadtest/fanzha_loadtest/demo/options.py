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
    """The last one is played after the retraining."""
    fraud_per_million: float
    import_days: tuple[int, ...]
    """On these days, counted from 0, officers import what the police confirmed since the last."""
    trees: int
    seed: int = 2026
    start: str = "2026-09-01"
    """First simulated day; later than what the shipped models learned from."""
    champion: str = "fraud/2026-08-31.1"
    """The shipped model that decides at first, where `models` holds it. It has seen
    one scam alone, impersonated police, so that the month brings what it does not know."""
    fraud_mix: str = (
        "task_rebate=0.4,fake_investment=0.4,fake_customer_service=0.1,impersonated_authority=0.1"
    )
    alert_budgets: tuple[float, ...] = (20.0, 50.0)
    """Alerts for each 1,000 transfers at which the gate compares: as far above the world's
    over-sampled fraud rate as a bank's budgets are above its own."""
    label_delay_days: float = 3.0
    """Most reports come within this time; a real bank would wait for weeks."""


def full(out: Path, models: Path) -> Options:
    """Return the sizes of `make demo`: under four minutes."""
    return Options(
        fast=False,
        out=out,
        models=models,
        customers=300,
        days=36,
        fraud_per_million=15_000,
        import_days=(8, 14, 20, 26, 32),
        trees=300,
    )


def fast(out: Path, models: Path) -> Options:
    """Return the sizes of `make demo-fast`: about a minute."""
    return Options(
        fast=True,
        out=out,
        models=models,
        customers=120,
        days=22,
        fraud_per_million=40_000,
        import_days=(11,),
        trees=120,
        alert_budgets=(50.0, 100.0),
    )
