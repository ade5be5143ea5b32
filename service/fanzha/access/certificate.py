"""What a client's certificate says: who it is, until when, and its fingerprint."""

import re
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

COMMON_NAME: Final = "CN="
"""Before a common name, so that it is never taken for a DNS name."""
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")
_HOST: Final = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?")
UNREADABLE: Final = (
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What reading the parts of a certificate raises that were not written as they should be."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A client's certificate, after the handshake has checked it against the CA."""

    identity: str
    """The first URI of its subject alternative names, else the first DNS name, else `CN=` and its
    common name; empty when it has none of them, or when the first is not written as its kind is:
    so no name of one kind passes for one of another."""
    fingerprint: str
    """SHA-256 in hexadecimal."""
    valid_until_s: float
    """Seconds since 1970 UTC."""


def read_certificate(pem: bytes) -> Certificate:
    """Return what a certificate says.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        return Certificate(
            identity=_identity(certificate),
            fingerprint=certificate.fingerprint(SHA256()).hex(),
            valid_until_s=certificate.not_valid_after_utc.timestamp(),
        )
    except UNREADABLE as error:
        raise ValueError(str(error)) from error


def _identity(certificate: x509.Certificate) -> str:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if uris:
        return uris[0] if _URI.fullmatch(uris[0]) else ""
    hosts = names.get_values_for_type(x509.DNSName)
    if hosts:
        return hosts[0].lower() if _HOST.fullmatch(hosts[0]) else ""
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    # Of two common names nobody knows which one counts.
    return COMMON_NAME + str(common[0].value) if len(common) == 1 else ""
