"""Who may call what: one table, checked on every call; what is not in it is denied."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from fanzha.access.rates import Bucket
from fanzha.access.roles import Role
from fanzha.domain.errors import RateLimitedError, RoleRequiredError
from fanzha.domain.record import Actor


def _any_of(*roles: Role) -> frozenset[Role]:
    return frozenset({*roles, Role.ADMIN, Role.LOCAL})


REQUIRED_ROLES: Final[dict[str, frozenset[Role]]] = {
    "/fanzha.v1.ScoringService/ScoreTransfer": _any_of(Role.SCORER, Role.TERMINAL),
    "/fanzha.v1.ScoringService/ScoreBatch": _any_of(Role.SCORER),
    "/fanzha.v1.ScoringService/GetDecision": _any_of(
        Role.SCORER, Role.REVIEWER, Role.RISK_OPS, Role.AUDITOR
    ),
    "/fanzha.v1.OutcomeService/ReportExecution": _any_of(Role.SCORER),
    "/fanzha.v1.OutcomeService/RecordOutcome": _any_of(Role.SCORER, Role.REVIEWER),
    "/fanzha.v1.OutcomeService/RecordOutcomes": _any_of(Role.SCORER, Role.REVIEWER),
    "/fanzha.v1.OutcomeService/WithdrawOutcome": _any_of(Role.REVIEWER),
    "/fanzha.v1.OutcomeService/ListOutcomes": _any_of(Role.REVIEWER, Role.AUDITOR),
    "/fanzha.v1.WatchlistService/ProposeImport": _any_of(Role.RISK_OPS),
    "/fanzha.v1.WatchlistService/ApproveImport": _any_of(Role.APPROVER),
    "/fanzha.v1.WatchlistService/RejectImport": _any_of(Role.RISK_OPS, Role.APPROVER),
    "/fanzha.v1.WatchlistService/ListProposals": _any_of(
        Role.RISK_OPS, Role.APPROVER, Role.AUDITOR
    ),
    # Names two people in words; with certificates these have to show themselves.
    "/fanzha.v1.WatchlistService/ImportEntries": frozenset({Role.LOCAL}),
}
"""Any one of the roles will do."""

OPEN_METHODS: Final = {
    "/grpc.health.v1.Health/Check": "whether it serves; for probes",
    "/grpc.health.v1.Health/List": "the same, for all services",
    "/grpc.health.v1.Health/Watch": "the same, as a stream",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": (
        "what `proto/` says; with TLS only where the setting `reflection` turns it on"
    ),
}
"""Need no role, and with TLS a certificate of the client CA nevertheless."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: its name scopes request ids, its roles say what it may do."""

    name: str
    roles: frozenset[Role]
    identity: str = ""
    """What its certificate says, and through a front what the token says; empty without TLS."""
    fingerprint: str = ""
    """SHA-256 of the certificate, in hexadecimal; of a front its own."""
    front: str = ""
    """Name of the front that passed on the token of this person; empty without one."""
    buckets: tuple[Bucket, ...] = ()
    """Permits of a caller that has a limit; those of its front come first."""

    @property
    def actor(self) -> Actor:
        """The caller as the journal names it."""
        return Actor(
            self.name, tuple(sorted(self.roles)), self.identity, self.fingerprint, self.front
        )


class CallContext(Protocol):
    """What may be asked of a call: of one of the library's, and of one of ours."""

    def auth_context(self) -> Mapping[str, Any]:
        """Return what the transport knows of the client, such as its certificate; bytes."""
        ...

    def invocation_metadata(self) -> Iterable[tuple[str, str | bytes]] | None:
        """Return what the client sent beside its message."""
        ...


class Callers(Protocol):
    """Finds out who calls."""

    def identify(self, context: CallContext) -> Caller:
        """Return the caller of a call.

        Raises:
            NotAuthenticatedError: what it shows does not count.
        """
        ...


class LocalAdmin:
    """Everyone is local admin: on loopback and Unix sockets, where nobody shows a certificate."""

    _CALLER = Caller("local", frozenset({Role.LOCAL}))

    def identify(self, context: CallContext) -> Caller:  # noqa: ARG002 - meets Callers
        """Return the local admin."""
        return self._CALLER


def authorise(method: str, caller: Caller) -> None:
    """Let a call pass, or not.

    Raises:
        RoleRequiredError: the caller has none of the roles that the method needs, or the method is
            not in the table.
    """
    needed = REQUIRED_ROLES.get(method, frozenset())
    if not needed & caller.roles:
        # Who shows a certificate is not told of what no certificate can give.
        named = " or ".join(sorted(needed - {Role.ADMIN, Role.LOCAL}))
        raise RoleRequiredError(method, named or "none that a certificate gives")


def take_permit(caller: Caller) -> None:
    """Count a call against its caller's limit.

    Raises:
        RateLimitedError: that was one too many.
    """
    for bucket in caller.buckets:
        wait_s = bucket.take()
        if wait_s > 0:
            raise RateLimitedError(bucket.rate_per_s, wait_s)
