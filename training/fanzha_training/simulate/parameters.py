"""What a simulated world is made from; together with the code these values determine every byte."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Final

from fanzha.domain.errors import SetupError

FRAUD_MIX: Final[Mapping[str, float]] = MappingProxyType(
    {
        # Shares of cases: the order in which the Ministry of Public Security names the types
        # (2024-06, 2025-06). Task rebates lead by far. Rare ones are raised a little, so that a
        # world shows each of them.
        "task_rebate": 0.24,
        "fake_investment": 0.12,
        "fake_shopping": 0.13,
        "fake_customer_service": 0.10,
        "fake_loan": 0.07,
        "fake_credit_repair": 0.08,
        "impersonated_acquaintance": 0.05,
        "impersonated_authority": 0.05,
        "romance": 0.04,
        "game_trade": 0.03,
        "ticket_refund": 0.03,
        "sextortion": 0.03,
        "cash_or_gold_handover": 0.03,
    }
)
TRUE_PER_MILLION: Final = 80.0
"""True rate of victims' payments per million ordinary transfers. UK 2023: 56 cases per million
Faster Payments (PSR), and a case has more than one payment; banks see 50 to 100."""
CUSTOMER_DAYS_MAX: Final = 1_500_000
"""About five million transfers: what fits into a few gigabytes of memory."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters of a world; `check` refuses absurd ones."""

    customers: int = 3000
    """Persons who bank here, 100 to 100,000."""
    days: int = 30
    """Days in Asia/Shanghai, 1 to 366."""
    seed: int = 7
    """0 to 2**63 - 1. The same seed gives the same bytes."""
    start: date = date(2026, 6, 1)
    """First day, 2000 to 2100."""
    fraud_per_million: float = TRUE_PER_MILLION
    """Payments of victims per million ordinary transfers, 0 to 50,000. More than the true rate is
    over-sampling: more episodes, each as it would be, so that a world has enough to learn from."""
    fraud_mix: Mapping[str, float] = field(default_factory=lambda: FRAUD_MIX)
    """Weight of each script among the episodes; a script that is not named does not occur."""

    @property
    def over_sampling(self) -> float:
        """How many times the true rate of fraud was asked for."""
        return self.fraud_per_million / TRUE_PER_MILLION

    def check(self) -> None:
        """Refuse parameters that no world can be made from.

        Raises:
            SetupError: there are faults; all of them are named, each with its option.
        """
        faults = self._faults() + _mix_faults(self.fraud_mix)
        if faults:
            raise SetupError("; ".join(faults))

    def _faults(self) -> tuple[str, ...]:
        checks = (
            (100 <= self.customers <= 100_000, "--customers must be 100 to 100000"),
            (1 <= self.days <= 366, "--days must be 1 to 366"),
            (
                self.customers * self.days <= CUSTOMER_DAYS_MAX,
                (
                    f"--customers × --days must not exceed {CUSTOMER_DAYS_MAX}: such a world does "
                    "not fit into memory; simulate fewer customers or several shorter spans"
                ),
            ),
            (0 <= self.seed < 2**63, "--seed must be 0 to 9223372036854775807"),
            (2000 <= self.start.year <= 2100, "--start must lie in the years 2000 to 2100"),
            (
                0 <= self.fraud_per_million <= 50_000,
                "--fraud-per-million must be 0 to 50000 (real banks see 50 to 100)",
            ),
        )
        return tuple(message for good, message in checks if not good)


def _mix_faults(mix: Mapping[str, float]) -> tuple[str, ...]:
    unknown = tuple(
        f"--fraud-mix names no script {name!r}; there are {', '.join(FRAUD_MIX)}"
        for name in mix
        if name not in FRAUD_MIX
    )
    # NaN fails the comparison too.
    bad = tuple(
        f"--fraud-mix gives {name} the weight {weight}; a weight is 0 to 1000000"
        for name, weight in mix.items()
        if not 0 <= weight <= 1_000_000
    )
    if not unknown and not bad and sum(mix.values()) <= 0:
        return ("--fraud-mix must give at least one script a weight above 0",)
    return unknown + bad


def parse_fraud_mix(text: str) -> dict[str, float]:
    """Return the weights in a text such as "task_rebate=2,fake_investment=1".

    Raises:
        SetupError: the text has another form, or names a script twice.
    """
    mix: dict[str, float] = {}
    for part in text.split(","):
        name, equals, weight = part.strip().partition("=")
        try:
            value = float(weight)
        except ValueError:
            equals = ""
            value = 0.0
        if not equals or name in mix:
            raise SetupError(
                f"--fraud-mix cannot be read at {part!r}: write name=weight pairs with commas "
                "between them, each name once, for example task_rebate=2,fake_investment=1"
            )
        mix[name] = value
    return mix
