"""What the server shows its clients and whom it lets in: certificate, private key, client CA."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from fanzha.domain.errors import SetupError

_FOR_OTHERS: Final = 0o007


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where they lie, all in PEM."""

    certificate: Path
    """The server's certificate, and those between it and its CA."""
    key: Path
    """Its private key, without a passphrase."""
    client_ca: Path
    """Certificates of the CAs that sign clients' certificates; of the old one and the new one while
    one replaces the other."""


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """Their content, judged together."""

    certificate: bytes
    key: bytes
    client_ca: bytes
    valid_until: datetime


def read_server_keys(files: TlsFiles, now: Callable[[], datetime]) -> ServerKeys:
    """Read and judge the three files.

    Raises:
        SetupError: with all faults at once.
    """
    faults: list[str] = []
    contents = [_content(file, faults) for file in (files.certificate, files.key, files.client_ca)]
    if _may_others_read(files.key):
        faults.append(f"{files.key}: everybody may read it; take that away: chmod 600 {files.key}")
    chain = _certificates(files.certificate, contents[0], faults)
    public = _public_key(files.key, contents[1], faults)
    for authority in _certificates(files.client_ca, contents[2], faults):
        if not _is_authority(authority):
            name = authority.subject.rfc4514_string()
            faults.append(f"{files.client_ca}: {name!r} is no CA; put the CA's certificate there")
    if chain and public is not None and _spki(chain[0].public_key()) != public:
        faults.append(f"{files.key}: is not the key of the certificate {files.certificate}")
    if chain and not chain[0].not_valid_before_utc <= now() < chain[0].not_valid_after_utc:
        since, until = chain[0].not_valid_before_utc, chain[0].not_valid_after_utc
        faults.append(f"{files.certificate}: counts from {since} to {until}, which is not now")
    if faults:
        shown = "\n".join(f"  {fault}" for fault in faults)
        raise SetupError(f"certificates that cannot be used:\n{shown}")
    certificate, key, client_ca = contents
    return ServerKeys(certificate, key, client_ca, chain[0].not_valid_after_utc)


def _content(file: Path, faults: list[str]) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        faults.append(f"{file}: cannot be read ({error.strerror}); name a readable PEM file")
        return b""


def _may_others_read(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & _FOR_OTHERS)
    except OSError:
        return False


def _certificates(file: Path, content: bytes, faults: list[str]) -> list[x509.Certificate]:
    if not content:
        return []
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError as error:
        faults.append(f"{file}: holds no certificate in PEM: {error}")
        return []


def _public_key(file: Path, content: bytes, faults: list[str]) -> bytes | None:
    if not content:
        return None
    try:
        return _spki(load_pem_private_key(content, password=None).public_key())
    except (ValueError, TypeError) as error:
        faults.append(f"{file}: holds no private key in PEM without a passphrase: {error}")
        return None


def _spki(public: object) -> bytes:
    encoded: bytes = public.public_bytes(  # type: ignore[attr-defined]
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return False
    return constraints.value.ca
