"""The gRPC server: synchronous, a small pool of threads, each with its own Redis connection."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from fanzha.domain.errors import SetupError
from fanzha.transport.outcomes import OutcomeServicer
from fanzha.transport.scoring import ScoringServicer
from fanzha.transport.strict import StrictServer
from fanzha.transport.watchlists import WatchlistServicer
from fanzha.v1 import (
    outcomes_pb2,
    outcomes_pb2_grpc,
    scoring_pb2,
    scoring_pb2_grpc,
    watchlists_pb2,
    watchlists_pb2_grpc,
)

MESSAGE_BYTES_MAX = 2 * 2**20
"""Largest request: a batch of 256 is below 1 MiB."""

_SERVICES = (
    scoring_pb2.DESCRIPTOR.services_by_name["ScoringService"].full_name,
    outcomes_pb2.DESCRIPTOR.services_by_name["OutcomeService"].full_name,
    watchlists_pb2.DESCRIPTOR.services_by_name["WatchlistService"].full_name,
)


@dataclass(frozen=True, slots=True)
class Servicers:
    """What the server serves."""

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
        threads: int,
        calls_max: int,
    ) -> None:
        """Bind, without serving yet.

        Args:
            entrance: where and how clients come in.
            servicers: what to serve.
            threads: calls served at once.
            calls_max: calls served or waiting at once; gRPC refuses more with RESOURCE_EXHAUSTED
                before they reach Python's queue.

        Raises:
            SetupError: the address is taken or cannot be bound.
        """
        self._server = grpc.server(
            ThreadPoolExecutor(threads, thread_name_prefix="call"),
            options=[
                ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
                ("grpc.so_reuseport", 0),
                *_age(entrance.connection_age_s),
            ],
            maximum_concurrent_rpcs=calls_max,
        )
        strict: Any = StrictServer(self._server)
        scoring_pb2_grpc.add_ScoringServiceServicer_to_server(servicers.scoring, strict)
        outcomes_pb2_grpc.add_OutcomeServiceServicer_to_server(servicers.outcomes, strict)
        watchlists_pb2_grpc.add_WatchlistServiceServicer_to_server(servicers.watchlists, strict)
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if entrance.has_reflection:
            reflection.enable_server_reflection(
                (*_SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
            )
        self.port = _bind(self._server, entrance)

    def start(self) -> None:
        """Begin to serve and report as healthy."""
        self._server.start()
        for service in ("", *_SERVICES):
            self._health.set(service, health_pb2.HealthCheckResponse.SERVING)

    def tell_health(self, name: str, is_well: bool) -> None:  # noqa: FBT001 - a state
        """Say under a name of its own how a part of the service is."""
        states = health_pb2.HealthCheckResponse
        self._health.set(name, states.SERVING if is_well else states.NOT_SERVING)

    def stop(self, grace_s: float) -> None:
        """Report as not healthy, let calls finish for up to `grace_s` seconds, and stop."""
        self._health.enter_graceful_shutdown()
        self._server.stop(grace_s).wait()


def _age(seconds: int) -> list[tuple[str, int]]:
    """Return the options that close old connections, after the calls on them have ended."""
    return [("grpc.max_connection_age_ms", seconds * 1000)] if seconds else []


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
