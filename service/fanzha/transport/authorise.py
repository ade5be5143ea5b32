"""Who may call what: one table, checked on every call; what is not in it is denied."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import grpc

from fanzha.domain.errors import RoleRequiredError


class Role(StrEnum):
    """What a caller may be."""

    SCORER = "scorer"
    REVIEWER = "reviewer"
    RISK_OPS = "risk-ops"
    AUDITOR = "auditor"
    ADMIN = "admin"


REQUIRED_ROLES: dict[str, frozenset[Role]] = {
    "/fanzha.v1.ScoringService/ScoreTransfer": frozenset({Role.SCORER}),
    "/fanzha.v1.ScoringService/ScoreBatch": frozenset({Role.SCORER}),
    "/fanzha.v1.ScoringService/GetDecision": frozenset({Role.SCORER, Role.REVIEWER, Role.AUDITOR}),
    "/fanzha.v1.OutcomeService/ReportExecution": frozenset({Role.SCORER}),
    "/fanzha.v1.OutcomeService/RecordOutcome": frozenset({Role.SCORER, Role.REVIEWER}),
    "/fanzha.v1.OutcomeService/RecordOutcomes": frozenset({Role.SCORER, Role.REVIEWER}),
    "/fanzha.v1.OutcomeService/WithdrawOutcome": frozenset({Role.REVIEWER}),
    "/fanzha.v1.OutcomeService/ListOutcomes": frozenset({Role.REVIEWER, Role.AUDITOR}),
    "/fanzha.v1.WatchlistService/ImportEntries": frozenset({Role.RISK_OPS}),
}
"""Any one of the roles will do; ADMIN may call everything in the table."""

OPEN_METHODS = frozenset(
    {
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    }
)
"""Need no role: they tell nothing that a connection alone does not."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: its name scopes request ids, its roles say what it may do."""

    name: str
    roles: frozenset[Role]


class Callers(Protocol):
    """Finds out who calls."""

    def identify(self, context: grpc.ServicerContext) -> Caller:
        """Return the caller of a call."""
        ...


class LocalAdmin:
    """Everyone is local admin: for `--embedded` and tests on loopback only."""

    _CALLER = Caller("local", frozenset({Role.ADMIN}))

    def identify(self, context: grpc.ServicerContext) -> Caller:  # noqa: ARG002 - meets Callers
        """Return the local admin."""
        return self._CALLER


def authorise(method: str, caller: Caller) -> None:
    """Let a call pass, or not.

    Raises:
        RoleRequiredError: the caller has none of the roles that the method needs, or the method is
            not in the table.
    """
    needed = REQUIRED_ROLES.get(method)
    if needed is None:
        raise RoleRequiredError(method, "none that exists")
    if Role.ADMIN not in caller.roles and not needed & caller.roles:
        raise RoleRequiredError(method, " or ".join(sorted(needed)))
