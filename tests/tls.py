"""Certificates, roles and services that ask for them, made anew for each test."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fanzha.access.authority import Authority, Issued

TRUST = "spiffe://bank.test/"
DAY = timedelta(days=1)


def identity(name: str) -> str:
    """What the certificate of a client of this name says."""
    return TRUST + name


class Pki:
    """A folder with a CA's certificate, a server's pair and a roles file."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.authority = Authority("test CA", DAY)
        self.write("ca.pem", self.authority.issued.certificate)
        self.serve(self.authority)

    def write(self, name: str, content: bytes) -> Path:
        """Replace a file as careful people do: whole, by renaming."""
        place = self.folder / name
        draft = self.folder / f".{name}"
        draft.write_bytes(content)
        draft.chmod(0o600)
        draft.replace(place)
        return place

    def serve(self, authority: Authority, **given: Any) -> None:
        """Give the server a new certificate."""
        issued = authority.issue("server", hosts=["localhost", "127.0.0.1"], **given)
        self.write("server.pem", issued.certificate)
        self.write("server.key", issued.key)

    def roles(self, clients: list[dict[str, Any]], **others: Any) -> None:
        """Replace the roles file; JSON is YAML."""
        text = json.dumps({"clients": clients, **others}, indent=1, ensure_ascii=False)
        self.write("roles.yaml", text.encode())

    def client(self, name: str, *, valid: tuple[datetime, datetime] | None = None) -> Issued:
        """Return a new certificate of a client."""
        return self.authority.issue(name, uris=[identity(name)], valid=valid)

    @property
    def options(self) -> list[str]:
        """Options of `fanzha serve`."""
        names = {"tls-cert": "server.pem", "tls-key": "server.key", "tls-client-ca": "ca.pem"}
        names["roles"] = "roles.yaml"
        return [part for x, y in names.items() for part in (f"--{x}", str(self.folder / y))]

    def client_files(self, name: str) -> list[str]:
        """Options of commands that are clients."""
        issued = self.client(name)
        self.write(f"{name}.pem", issued.certificate)
        self.write(f"{name}.key", issued.key)
        return [
            "--tls-ca", str(self.folder / "ca.pem"),
            "--tls-cert", str(self.folder / f"{name}.pem"),
            "--tls-key", str(self.folder / f"{name}.key"),
        ]  # fmt: skip


def entry(name: str, *roles: str, **others: Any) -> dict[str, Any]:
    """Return a client of the roles file, shown by its own URI."""
    return {"name": name, "certificates": [identity(name)], "roles": list(roles), **others}


@contextmanager
def channel(
    address: str, authority: Authority, issued: Issued | None, **options: Any
) -> Iterator[grpc.Channel]:
    """Yield a channel of its own connection."""
    pair = (issued.key, issued.certificate) if issued is not None else (None, None)
    credentials = grpc.ssl_channel_credentials(authority.issued.certificate, *pair)
    # Else channels of one process with equal options share a connection.
    given = [("grpc.use_local_subchannel_pool", 1), *options.items()]
    with grpc.secure_channel(address, credentials, options=given) as opened:
        yield opened


def expired() -> tuple[datetime, datetime]:
    """A validity that ended a minute ago."""
    now = datetime.now(UTC)
    return now - DAY, now - timedelta(minutes=1)


@dataclass(frozen=True)
class TokenKey:
    """A key that signs tokens."""

    id: str
    private: Ed25519PrivateKey

    @property
    def entry(self) -> dict[str, str]:
        """As the roles file names it."""
        pem = self.private.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        return {"id": self.id, "public_key": pem.decode()}
