"""The control share: a few low risks left unprompted, so that it is seen what prompts are worth.

Who is warned behaves otherwise than who is not, and models that learn from warned transfers alone
learn that too. The share is off unless the policy turns it on, by two people and until a stated
day. It never touches a transfer where anything speaks of a risk at the payee or in the session, and
never one of which a part could not be read.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from fanzha.domain.decision import Score
from fanzha.domain.evidence import Evidence
from fanzha.domain.transfer import SESSION_FLAGS, Transfer
from fanzha.domain.vocabulary import WatchlistKind
from fanzha.policy.fact import CONTEXT_FAMILIES, FactFamily

_SPARED_FAMILIES: Final = CONTEXT_FAMILIES - {FactFamily.OUTAGE} | {
    FactFamily.AMOUNT,
    FactFamily.PAIR,
    FactFamily.PAYER_HISTORY,
    FactFamily.SCORE,
}
"""Families that speak of no risk at the payee or in the session."""


@dataclass(frozen=True, slots=True)
class ControlShare:
    """How large it is, and for whom. Times are milliseconds since 1970 UTC."""

    share: float
    amount_max_minor: int
    points_max: int
    valid_until_ms: int
    """Exclusive."""
    proposed_by: str
    approved_by: str


def is_in_control_share(
    control: ControlShare,
    transfer: Transfer,
    evidence: Evidence,
    score: Score | None,
    families: frozenset[FactFamily],
    now_ms: int,
) -> bool:
    """Say whether a transfer that would be CONFIRM on soft grounds alone is left unprompted.

    A pair of payer and payee is always on the same side, so that trying again changes nothing; the
    tokens are keyed, so that nobody outside can tell on which.

    Args:
        control: the share in force.
        transfer: what is asked for.
        evidence: what is known.
        score: what the model says.
        families: families of the conditions of all rules that hold.
        now_ms: the service's clock.

    """
    return (
        now_ms < control.valid_until_ms
        and transfer.base_amount_minor <= control.amount_max_minor
        and families <= _SPARED_FAMILIES
        and not any(getattr(transfer.session, flag) for flag in SESSION_FLAGS)
        and _is_known(transfer, evidence)
        and _is_low(score, control.points_max)
        and _draw(transfer) < control.share
    )


def _is_known(transfer: Transfer, evidence: Evidence) -> bool:
    """Say whether all could be read, and no list names anybody."""
    if evidence.payer is None or evidence.list_hits is None:
        return False
    if transfer.payee is None or not transfer.payee.account or evidence.payee is None:
        return False
    if evidence.payee.reports or evidence.payer.reports:
        return False
    return all(hit.entry.kind == WatchlistKind.VERIFIED_BILLER for hit in evidence.list_hits)


def _is_low(score: Score | None, points_max: int) -> bool:
    if score is None:
        return False
    mules = [head.points for head in (score.payee_mule, score.payer_mule) if head is not None]
    return all(points <= points_max for points in (score.points, *mules))


def _draw(transfer: Transfer) -> float:
    """Return a number from 0 to 1 that is fixed for a pair of payer and payee."""
    payee = transfer.payee.account if transfer.payee is not None else b""
    digest = blake2b(
        transfer.payer.account + payee, digest_size=8, person=b"control share"
    ).digest()
    return int.from_bytes(digest, "big") / 2.0**64
