"""A small certificate authority, to try TLS with; a bank has its own."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_PURPOSES: Final = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its private key, both in PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """One CA with a key of its own."""

    def __init__(self, name: str, valid_for: timedelta) -> None:
        """Make it.

        Args:
            name: its common name.
            valid_for: how long it and what it issues counts, unless told otherwise.
        """
        self._valid_for = valid_for
        self._key = generate_private_key(SECP256R1())
        self._name = _named(name)
        now = datetime.now(UTC)
        self._certificate = (
            _builder(self._name, self._name, self._key, (now - timedelta(hours=1), now + valid_for))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, SHA256())
        )

    @property
    def issued(self) -> Issued:
        """Its own certificate and key."""
        return Issued(self._certificate.public_bytes(Encoding.PEM), _pem(self._key))

    def issue(
        self,
        name: str,
        *,
        uris: Sequence[str] = (),
        hosts: Sequence[str] = (),
        valid: tuple[datetime, datetime] | None = None,
    ) -> Issued:
        """Return a new certificate with its key, for a server or a client.

        Args:
            name: its common name.
            uris: its subject alternative names that are URIs.
            hosts: those that are DNS names or IP addresses.
            valid: from when until when it counts; from an hour ago for as long as the CA's own
                when not given.
        """
        key = generate_private_key(SECP256R1())
        now = datetime.now(UTC)
        span = valid or (now - timedelta(hours=1), now + self._valid_for)
        builder = _builder(_named(name), self._name, key, span)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(_PURPOSES), critical=False)
        names = [x509.UniformResourceIdentifier(uri) for uri in uris] + [_host(x) for x in hosts]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self._key, SHA256())
        return Issued(certificate.public_bytes(Encoding.PEM), _pem(key))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: EllipticCurvePrivateKey,
    valid: tuple[datetime, datetime],
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
