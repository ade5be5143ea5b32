"""What the server shows its clients and whom it lets in: certificate, private key, client CA."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from fanzha.access.certificate import UNREADABLE
from fanzha.domain.errors import SetupError
from fanzha.secrets.private_file import read_private

_RSA_BITS_MIN: Final = 2048


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
    certificate, client_ca = (_content(x, faults) for x in (files.certificate, files.client_ca))
    key = _private(files.key, faults)
    chain = _certificates(files.certificate, certificate, faults)
    public = _public_key(files.key, key, faults)
    authorities = _certificates(files.client_ca, client_ca, faults)
    faults.extend(
        f"{files.client_ca}: {why}; put the CA's certificate there"
        for why in map(_why_no_authority, authorities)
        if why
    )
    if chain and public is not None and _public_key_of(chain[0]) != public:
        faults.append(f"{files.key}: is not the key of the certificate {files.certificate}")
    if chain and not chain[0].not_valid_before_utc <= now() < chain[0].not_valid_after_utc:
        since, until = chain[0].not_valid_before_utc, chain[0].not_valid_after_utc
        faults.append(f"{files.certificate}: counts from {since} to {until}, which is not now")
    if faults:
        shown = "\n".join(f"  {fault}" for fault in faults)
        raise SetupError(f"certificates that cannot be used:\n{shown}")
    return ServerKeys(certificate, key, client_ca, chain[0].not_valid_after_utc)


def _content(file: Path, faults: list[str]) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        faults.append(f"{file}: cannot be read ({error.strerror}); name a readable PEM file")
        return b""


def _private(file: Path, faults: list[str]) -> bytes:
    try:
        return read_private(file, "the server's private key", "name a readable PEM file")
    except SetupError as error:
        faults.append(str(error))
        return b""


def _certificates(file: Path, content: bytes, faults: list[str]) -> list[x509.Certificate]:
    if not content:
        return []
    try:
        return x509.load_pem_x509_certificates(content)
    except UNREADABLE as error:
        faults.append(f"{file}: holds no certificate in PEM: {error}")
        return []


def _public_key(file: Path, content: bytes, faults: list[str]) -> bytes | None:
    """Return the public half of a private key that TLS can serve with, in DER.

    gRPC drops what it cannot serve with in silence, or takes it and has no client connect.
    """
    if not content:
        return None
    try:
        public = load_pem_private_key(content, password=None).public_key()
    except (ValueError, TypeError) as error:
        faults.append(f"{file}: holds no private key in PEM without a passphrase: {error}")
        return None
    except UnsupportedAlgorithm:
        public = None
    is_rsa = isinstance(public, RSAPublicKey) and public.key_size >= _RSA_BITS_MIN
    is_ec = isinstance(public, EllipticCurvePublicKey) and isinstance(
        public.curve, (SECP256R1, SECP384R1)
    )
    if not is_rsa and not is_ec:
        faults.append(
            f"{file}: is a key that no client's TLS takes; make an EC key on P-256 or P-384, or an "
            f"RSA key of at least {_RSA_BITS_MIN} bits"
        )
        return None
    return _spki(public)


def _public_key_of(certificate: x509.Certificate) -> bytes | None:
    try:
        return _spki(certificate.public_key())
    except UNREADABLE:
        return None


def _spki(public: object) -> bytes:
    encoded: bytes = public.public_bytes(  # type: ignore[attr-defined]
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


def _why_no_authority(certificate: x509.Certificate) -> str:
    """Return why a certificate signs no others; empty when it may."""
    name = f"the certificate with the number {certificate.serial_number:x}"
    try:
        name = repr(certificate.subject.rfc4514_string())
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return f"{name} is no CA"
    except UNREADABLE as error:
        return f"{name} cannot be read ({error})"
    return "" if constraints.value.ca else f"{name} is no CA"
