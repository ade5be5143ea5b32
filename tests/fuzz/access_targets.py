"""Fuzz targets of who may come in: roles, certificates, tokens of persons, files of keys."""

import base64
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fanzha.access.authority import Authority
from fanzha.access.bearer import TokenIssuer
from fanzha.access.certificate import read_certificate
from fanzha.access.clients import load_clients
from fanzha.access.server_keys import TlsFiles, read_server_keys
from fanzha.domain.errors import FanzhaError
from fanzha.secrets.token_key import read_key_file
from fanzha.secrets.wrapping import KekFile

PLACE: Final = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path("/tmp")  # noqa: S108 - own names
AUTHORITY: Final = Authority("fuzz", timedelta(days=1))
_PAIR: Final = AUTHORITY.issue("server", hosts=["localhost"])
SIGNER: Final = Ed25519PrivateKey.generate()
_ISSUER: Final = TokenIssuer("sso", "fanzha", 3600, {"k1": SIGNER.public_key()})


def _private(data: bytes, name: str) -> Path:
    path = PLACE / f"fanzha-fuzz-{os.getpid()}-{name}"
    if not path.exists():
        path.touch(mode=0o600)
    path.write_bytes(data)
    return path


def pem_of(der: bytes) -> bytes:
    """Return bytes as they would stand in a file of certificates."""
    text = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n"


def roles_file(data: bytes) -> None:
    """The file that says who is who."""
    with suppress(FanzhaError):
        load_clients(_private(data, "roles.yaml"))


def client_certificate(data: bytes) -> None:
    """What a client shows, in DER: an identity, or no certificate."""
    try:
        read = read_certificate(pem_of(data))
    except ValueError:
        return
    assert len(read.fingerprint) == 64
    assert read.identity == read.identity.strip()


def authorities(data: bytes) -> None:
    """The file of client CAs, with one certificate in it of these bytes."""
    files = TlsFiles(
        _private(_PAIR.certificate, "server.pem"),
        _private(_PAIR.key, "server.key"),
        _private(AUTHORITY.issued.certificate + pem_of(data), "ca.pem"),
    )
    with suppress(FanzhaError):
        read_server_keys(files, lambda: datetime.now(UTC))


def person_token(data: bytes) -> None:
    """What a front passes on: the text itself, and the same bytes under a good signature."""
    text = data.decode("latin-1")
    signed = f"{text}.{base64.urlsafe_b64encode(SIGNER.sign(data)).rstrip(b'=').decode()}"
    for token in (text, signed):
        with suppress(FanzhaError):
            assert _ISSUER.person(token, 1_790_000_000.0).subject


def token_key(data: bytes) -> None:
    """The file of the token key."""
    with suppress(FanzhaError):
        read_key_file(_private(data, "key")).unwrap(KekFile(_private(bytes(32), "kek")))


ACCESS_TARGETS: Final[tuple[Callable[[bytes], None], ...]] = (
    roles_file, client_certificate, authorities, person_token, token_key,
)  # fmt: skip
