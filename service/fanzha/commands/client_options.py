"""How commands that are clients connect: plainly, or over TLS with a certificate."""

import queue
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import grpc
import typer

from fanzha.domain.errors import SetupError
from fanzha.settings import is_loopback

Address = Annotated[str, typer.Option(help="host:port of the service.")]
TlsCa = Annotated[
    Path | None, typer.Option(help="CA of the service's certificate, PEM; turns on TLS.")
]
TlsCert = Annotated[Path | None, typer.Option(help="Your certificate, PEM.")]
TlsKey = Annotated[Path | None, typer.Option(help="Your private key, PEM.")]

_CONNECT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class ClientTls:
    """The three files of a client; all or none."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@contextmanager
def connected(address: str, tls: ClientTls) -> Iterator[grpc.Channel]:
    """Yield a channel that is connected.

    Raises:
        SetupError: the files cannot be used, or no service answers.
    """
    with _channel(address, tls) as channel:
        if not _connects(channel):
            remedy = (
                "give --tls-ca, --tls-cert and --tls-key if it asks for certificates"
                if tls.ca is None
                else "or it takes --tls-cert for no client's, or --tls-ca is not its CA"
            )
            raise SetupError(
                f"no service answers at {address}: start one with fanzha serve, or give its "
                f"host:port with --address; {remedy}"
            )
        yield channel


def _channel(address: str, tls: ClientTls) -> grpc.Channel:
    files = (tls.ca, tls.key, tls.certificate)
    if not any(files):
        if not is_loopback(address):
            raise SetupError(
                f"{address} is not on loopback: what is sent there names accounts; give --tls-ca, "
                "--tls-cert and --tls-key, or run the command on the service's own machine"
            )
        return grpc.insecure_channel(address)
    if not all(files):
        raise SetupError("TLS needs all of --tls-ca, --tls-cert and --tls-key")
    try:
        contents = [file.read_bytes() for file in files if file is not None]
    except OSError as error:
        raise SetupError(
            f"cannot read {error.filename}: {error.strerror}; name a readable PEM file"
        ) from error
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(*contents))


def _connects(channel: grpc.Channel) -> bool:
    """Say whether a channel connects; a refused connection is known at once."""
    states: queue.SimpleQueue[grpc.ChannelConnectivity] = queue.SimpleQueue()
    channel.subscribe(states.put, try_to_connect=True)
    deadline = time.monotonic() + _CONNECT_S
    try:
        while True:
            state = states.get(timeout=max(0.0, deadline - time.monotonic()))
            if state is grpc.ChannelConnectivity.READY:
                return True
            if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                return False
    except queue.Empty:
        return False
    finally:
        channel.unsubscribe(states.put)
