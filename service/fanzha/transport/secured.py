"""TLS with client certificates and roles in use, which follow their files without a restart."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import grpc

from fanzha.access.clients import Clients, load_clients
from fanzha.access.followed import Followed
from fanzha.access.rates import Buckets
from fanzha.access.server_keys import ServerKeys, TlsFiles, read_server_keys
from fanzha.transport.certified import CertifiedCallers
from fanzha.transport.server import Entrance

log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
"""The files are looked at so often; a change counts within twice this time."""
_SOON: Final = timedelta(days=7)
TLS_HEALTH: Final = "fanzha.access.tls"
ROLES_HEALTH: Final = "fanzha.access.roles"
"""Names under which health says whether the files as they are now are in use."""

TellHealth = Callable[[str, bool], None]


class Secured:
    """Who may connect, and who is who."""

    def __init__(self, files: TlsFiles, roles: Path) -> None:
        """Read all files.

        Raises:
            SetupError: they cannot be used; names all faults of the first that cannot.
        """
        tls = (files.certificate, files.key, files.client_ca)
        self._keys: Followed[ServerKeys] = Followed(
            "certificates", tls, lambda: read_server_keys(files, lambda: datetime.now(UTC))
        )
        self._clients: Followed[Clients] = Followed("roles", (roles,), lambda: load_clients(roles))
        self._served = self._keys.generation
        self._stop = threading.Event()
        self._warn_again = datetime.now(UTC)
        self.callers = CertifiedCallers(
            lambda: self._clients.current, Buckets(time.monotonic), time.time
        )

    def credentials(self) -> grpc.ServerCredentials:
        """Return credentials that demand a client certificate; every handshake gets the newest."""
        return grpc.dynamic_ssl_server_credentials(
            _configuration(self._keys.current),
            # None, which the library's types do not know, means that nothing changed.
            self._newest,  # type: ignore[arg-type]
            require_client_authentication=True,
        )

    def _newest(self) -> grpc.ServerCertificateConfiguration | None:
        """Return what changed since the last handshake, None for nothing; gRPC calls in turn."""
        generation = self._keys.generation
        if generation == self._served:
            return None
        self._served = generation
        return _configuration(self._keys.current)

    def follow(self, tell_health: TellHealth) -> None:
        """Look after the files in a thread of its own, until `close`."""
        log.info(
            "TLS with client certificates; ours counts until %s", self._keys.current.valid_until
        )
        self._tell(tell_health)
        threading.Thread(target=self._work, args=(tell_health,), name="access", daemon=True).start()

    def close(self) -> None:
        """Stop looking."""
        self._stop.set()

    def _work(self, tell_health: TellHealth) -> None:
        while not self._stop.wait(LOOK_S):
            self._keys.look()
            self._clients.look()
            self._tell(tell_health)
            self._warn_of_the_end()

    def _warn_of_the_end(self) -> None:
        """Say once a day that the server's certificate will soon count no longer."""
        now = datetime.now(UTC)
        until = self._keys.current.valid_until
        if until - now < _SOON and now >= self._warn_again:
            self._warn_again = now + timedelta(days=1)
            log.warning("the server's certificate counts until %s only: replace it", until)

    def _tell(self, tell_health: TellHealth) -> None:
        tell_health(TLS_HEALTH, not self._keys.fault)
        tell_health(ROLES_HEALTH, not self._clients.fault)


def _configuration(keys: ServerKeys) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(keys.key, keys.certificate)], root_certificates=keys.client_ca
    )


def secured_by(
    cert: Path | None, key: Path | None, client_ca: Path | None, roles: Path | None
) -> Secured | None:
    """Return what secures a service with these files; None without them.

    Raises:
        SetupError: they cannot be used.
    """
    if cert is None or key is None or client_ca is None or roles is None:
        return None
    return Secured(TlsFiles(cert, key, client_ca), roles)


def entrance_of(
    address: str, secured: Secured | None, *, has_reflection: bool | None, connection_age_s: int
) -> Entrance:
    """Return how clients come in.

    Args:
        address: host:port, or unix:path.
        secured: who may connect; None: everybody who reaches the address.
        has_reflection: None: only where everybody may connect.
        connection_age_s: how old a connection over TLS gets.
    """
    is_open = secured is None
    return Entrance(
        address=address,
        credentials=secured.credentials() if secured is not None else None,
        has_reflection=is_open if has_reflection is None else has_reflection,
        connection_age_s=0 if is_open else connection_age_s,
    )
