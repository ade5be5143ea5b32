"""The gRPC server: a few threads, each with its own Redis connection."""

import os
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from fanzha.domain.errors import SetupError
from fanzha.transport.admission import Admission, Limits
from fanzha.transport.direct import DirectCalls
from fanzha.transport.guard import Guard
from fanzha.transport.intake import Intake, Lane
from fanzha.transport.outcomes import OutcomeServicer
from fanzha.transport.patience import Patience
from fanzha.transport.scoring import SCORE_TRANSFER, ScoringServicer
from fanzha.transport.watching import WatchedHealth
from fanzha.transport.watchlists import WatchlistServicer
from fanzha.v1 import (
    outcomes_pb2,
    outcomes_pb2_grpc,
    scoring_pb2,
    scoring_pb2_grpc,
    watchlists_pb2,
    watchlists_pb2_grpc,
)

MESSAGE_BYTES_MAX: Final = 2 * 2**20
"""Largest request: a batch of 256 is below 1 MiB."""
_CONNECTIONS_MAX: Final = 2_048
_OTHER_THREADS: Final = 8
"""For health and reflection."""
_OTHER_CALLS_MAX: Final = 64
_OTHER_WAIT_S: Final = 1.0
_LOOK_S: Final = 0.02
_LINGER_S: Final = 0.1
_LAST_S: Final = 0.5
"""So long the last answers may take on their way out."""
_STALLED_MAX: Final = 4
"""Calls of health and reflection, and streams, that may stall at once for long."""

_SERVICES = (
    scoring_pb2.DESCRIPTOR.services_by_name["ScoringService"].full_name,
    outcomes_pb2.DESCRIPTOR.services_by_name["OutcomeService"].full_name,
    watchlists_pb2.DESCRIPTOR.services_by_name["WatchlistService"].full_name,
)

# What gRPC itself refuses, before Python sees it.
_TRANSPORT: Final = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    # More calls on a connection are refused as never begun.
    ("grpc.max_concurrent_streams", 1_024),
    # Who connects and says nothing holds one of those connections, without any certificate; gRPC's
    # own two minutes would let a few thousand of them keep everybody out.
    ("grpc.server_handshake_timeout_ms", 5_000),
    # Calls that Python has not looked at yet; beyond these they end as CANCELLED, without a hint.
    ("grpc.server.max_pending_requests", 5_000),
    ("grpc.server.max_pending_requests_hard_limit", 10_000),
    # Headers of a call: a token of a person, a trace, nothing larger.
    ("grpc.max_metadata_size", 16 * 2**10),
    ("grpc.absolute_max_metadata_size", 32 * 2**10),
    # A message that grows a thousandfold when it is unpacked would pass the limit of its size;
    # requests are too small to gain anything from compression.
    ("grpc.compression_enabled_algorithms_bitset", 1),
    ("grpc.per_message_decompression", 0),
    # A client that vanished is noticed, and one that pings without end is sent away.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 3),
)


@dataclass(frozen=True, slots=True)
class Servicers:
    """What the server serves, and what every call of it passes."""

    guard: Guard
    scoring: ScoringServicer
    outcomes: OutcomeServicer
    watchlists: WatchlistServicer


@dataclass(frozen=True, slots=True)
class Entrance:
    """Where and how clients come in."""

    address: str
    """host:port, or unix:path."""
    credentials: grpc.ServerCredentials | None = None
    """TLS with client certificates; None: whoever connects is let in."""
    has_reflection: bool = True
    """Whether the server describes its RPCs to whoever connects."""
    connection_age_s: int = 0
    """Connections are closed after so long, between two calls; 0: never."""


class Server:
    """One listening server with health and reflection."""

    def __init__(
        self,
        entrance: Entrance,
        servicers: Servicers,
        limits: Limits,
        streams_max: int,
    ) -> None:
        """Prepare; nobody can connect yet.

        Args:
            entrance: where and how clients come in.
            servicers: what to serve.
            limits: how many calls are served or wait at once; more are refused with
                RESOURCE_EXHAUSTED and a hint when to try again.
            streams_max: client streams served at once.
        """
        self._entrance = entrance
        self.admission = Admission(limits, time.monotonic)
        of_streams = Limits(streams_max, streams_max, limits.target_s, limits.wait_max_s)
        # Who waits for its message holds a place among the calls, but no thread.
        self._patiences = [Patience(3 * limits.threads, time.monotonic)]
        self._patiences += [Patience(_STALLED_MAX, time.monotonic) for _ in range(3)]
        self._calls = DirectCalls(
            servicers.guard,
            self.admission,
            self._patiences[0],
            limits.threads,
            {SCORE_TRANSFER: servicers.scoring.score_all},
            time.monotonic,
        )
        streams = Lane(
            "stream", streams_max, Admission(of_streams, time.monotonic), self._patiences[1]
        )
        self._admissions = (self.admission, streams.admission)
        self._intake = intake = Intake()
        # A service at its limit still says that it lives.
        few = Limits(_OTHER_THREADS, _OTHER_CALLS_MAX, limits.target_s, _OTHER_WAIT_S)
        others = Lane("other", _OTHER_CALLS_MAX, Admission(few, time.monotonic), self._patiences[2])
        # gRPC wants one of its own; every method has another.
        rest = ThreadPoolExecutor(1, thread_name_prefix="rest")
        bounds = (*_age(entrance.connection_age_s), *_connections())
        self._server = grpc.server(rest, options=(*_TRANSPORT, *bounds))
        self._server.add_generic_rpc_handlers((intake,))
        ours: Any = intake.on(self._calls, streams)
        scoring_pb2_grpc.add_ScoringServiceServicer_to_server(servicers.scoring, ours)
        outcomes_pb2_grpc.add_OutcomeServiceServicer_to_server(servicers.outcomes, ours)
        watchlists_pb2_grpc.add_WatchlistServiceServicer_to_server(servicers.watchlists, ours)
        self._health = WatchedHealth()
        # Who watches holds a thread all the while.
        watches = Lane(
            "watch", _OTHER_CALLS_MAX, Admission(few, time.monotonic), self._patiences[3]
        )
        beside: Any = intake.on(others, watches)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, beside)
        if entrance.has_reflection:
            reflection.enable_server_reflection(
                (*_SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), beside
            )

    def start(self) -> str:
        """Listen, serve and report as healthy; return the address, with the port that was free.

        gRPC listens from the moment it binds, so that clients would wait in front of a server that
        was bound before all was ready.

        Raises:
            SetupError: the address is taken or cannot be bound.
        """
        for service in ("", *_SERVICES):
            self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        port = _bind(self._server, self._entrance)
        self._calls.join(self._server)
        self._server.start()
        self._calls.start()
        host = self._entrance.address.rpartition(":")[0]
        return self._entrance.address if host == "unix" else f"{host}:{port}"

    def tell_health(self, name: str, is_well: bool) -> None:  # noqa: FBT001 - a state
        """Say under a name of its own how a part of the service is."""
        states = health_pb2.HealthCheckResponse
        self._health.set(name, states.SERVING if is_well else states.NOT_SERVING)

    def stop(self, notice_s: float, grace_s: float) -> None:
        """Stop without losing a call.

        Args:
            notice_s: report as not healthy for so long before new calls are refused, in seconds:
                who watches the health sends them elsewhere meanwhile.
            grace_s: let calls finish for so long, in seconds.
        """
        self._health.enter_graceful_shutdown()
        time.sleep(notice_s)
        self._intake.stop()
        self._calls.stop()
        # Who sends at this moment hears why, rather than have the call cancelled by the core.
        time.sleep(_LINGER_S)
        end = time.monotonic() + grace_s
        while any(one.calls for one in self._admissions) and time.monotonic() < end:
            time.sleep(_LOOK_S)
        self._calls.stop_asking()
        self._server.stop(_LAST_S).wait()
        self._calls.close()
        for patience in self._patiences:
            patience.close()


def _age(seconds: int) -> list[tuple[str, int]]:
    """Return the options that close old connections, after the calls on them have ended."""
    return [("grpc.max_connection_age_ms", seconds * 1000)] if seconds else []


def _connections() -> list[tuple[str, int]]:
    """Return the option that closes more connections at once: the spool needs files too."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    bound = _CONNECTIONS_MAX if files == resource.RLIM_INFINITY else files // 2
    return [("grpc.max_allowed_incoming_connections", min(_CONNECTIONS_MAX, bound))]


def _bind(server: grpc.Server, entrance: Entrance) -> int:
    """Bind the address; a Unix socket is for its owner alone from its first moment on.

    Raises:
        SetupError: the address is taken or cannot be bound.
    """
    address, before = entrance.address, os.umask(0o077)
    try:
        if entrance.credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, entrance.credentials)
        if address.startswith("unix:"):
            path = address.removeprefix("unix:")
            Path(path.removeprefix("//")).chmod(0o600)
    except (RuntimeError, OSError) as error:
        raise SetupError(
            f"cannot listen on {address}: it is taken or not an address of this machine; "
            "choose another with --address"
        ) from error
    finally:
        os.umask(before)
    return port
