"""Says when a world is too small for the rate of fraud that was asked for."""

from typing import Final

from fanzha_training.simulate.run import Simulation

_FEW_WANTED: Final = 50
"""With more payments of victims than this, one episode more or less does not change the rate."""
_OFF: Final = 0.25
"""Share of the rate by which a world may miss it."""


def too_small(simulation: Simulation) -> str:
    """Return a warning with a remedy; empty when the world is large enough.

    Fraud comes in whole episodes. Where the rate asks for fewer payments than an episode has, the
    first one passes it already; where it asks for less than half a payment, there is no fraud.
    """
    parameters, rows = simulation.parameters, simulation.transfers.num_rows
    asked = parameters.fraud_per_million
    payments = sum(simulation.transfers["is_fraud"].to_pylist())
    if not rows or not asked:
        return ""
    wanted = asked * rows / 1e6
    if wanted >= _FEW_WANTED or abs(payments / wanted - 1) <= _OFF:
        return ""
    enough = round(parameters.customers * parameters.days * _FEW_WANTED / wanted, -3)
    return (
        f"this world is too small for the rate asked for: {asked:g} per million of its {rows:,} "
        f"transfers are {wanted:.2g} payments of victims, and fraud comes in whole episodes; it "
        f"has {payments}, {1e6 * payments / rows:,.0f} per million. Some {enough:,.0f} customers × "
        "days would come close; or ask for more with --fraud-per-million"
    )
