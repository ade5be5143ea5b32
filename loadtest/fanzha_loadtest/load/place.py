"""Where a load goes: a deployment that runs, with or without TLS, or a service of its own."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from fanzha_loadtest.chained_driver import Target
from fanzha_loadtest.tls_context import client_context


class PlaceError(Exception):
    """The service cannot be called as it was named: names the cause and the remedy."""


@dataclass(frozen=True, slots=True)
class Place:
    """Addresses of one deployment, and how to be let in."""

    addresses: tuple[str, ...]
    """host:port of its workers or of what stands before them."""
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    """Three files in PEM, all or none; the certificate's client needs the role `scorer`."""

    def target(self) -> Target:
        """Return what the open loop calls.

        Raises:
            PlaceError: a file is missing or cannot be used.

        """
        files = self._files()
        if files is None:
            return Target(self.addresses)
        ca, key, certificate = files
        try:
            context = client_context(ca, certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise PlaceError(
                f"the files of --tls-ca, --tls-cert and --tls-key cannot be used: {error}; name "
                "readable PEM files that belong together"
            ) from error
        host = self.addresses[0].rpartition(":")[0].strip("[]")
        return Target(self.addresses, context, host)

    @contextmanager
    def channel(self) -> Iterator[grpc.Channel]:
        """Yield a channel of the gRPC library to the first address.

        Raises:
            PlaceError: a file is missing or cannot be read.

        """
        files = self._files()
        if files is None:
            with grpc.insecure_channel(self.addresses[0]) as channel:
                yield channel
            return
        try:
            ca, key, certificate = (file.read_bytes() for file in files)
        except OSError as error:
            raise PlaceError(
                f"cannot read {error.filename}: {error.strerror}; name a readable PEM file"
            ) from error
        credentials = grpc.ssl_channel_credentials(ca, key, certificate)
        with grpc.secure_channel(self.addresses[0], credentials) as channel:
            yield channel

    def options(self) -> list[str]:
        """Return the options by which the users get to the same place; locust has taken --tls-*."""
        words = [word for address in self.addresses for word in ("--address", address)]
        files = self._files()
        if files is not None:
            ca, key, certificate = (str(file) for file in files)
            words += ["--service-ca", ca, "--client-cert", certificate, "--client-key", key]
        return words

    def _files(self) -> tuple[Path, Path, Path] | None:
        """Return CA, key and certificate, or None for no TLS."""
        if self.ca is not None and self.key is not None and self.certificate is not None:
            return self.ca, self.key, self.certificate
        if self.ca is None and self.key is None and self.certificate is None:
            return None
        raise PlaceError("TLS needs all of --tls-ca, --tls-cert and --tls-key")
