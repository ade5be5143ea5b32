"""What certificates say, which server keys are good, and how files are followed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.tls import DAY, Pki, expired

from fanzha.access.authority import Authority
from fanzha.access.certificate import read_certificate
from fanzha.access.followed import Followed
from fanzha.access.four_eyes import check_four_eyes
from fanzha.access.server_keys import ServerKeys, TlsFiles, read_server_keys
from fanzha.domain.errors import FourEyesError, SetupError
from fanzha.domain.record import Actor

AUTHORITY = Authority("CA", DAY)


@pytest.mark.parametrize(
    ("uris", "hosts", "identity"),
    [
        (["spiffe://a/b", "spiffe://a/c"], ["x.test"], "spiffe://a/b"),
        ([], ["10.0.0.1", "X.test", "y.test"], "x.test"),
        ([], ["10.0.0.1"], "CN=Zhang Wei"),
        ([], [], "CN=Zhang Wei"),
        (["CN=Li Na"], [], ""),
        (["portal.bank.test"], [], ""),
        (["portal.bank.test:7443"], [], "portal.bank.test:7443"),
        ([], ["spiffe://a/b"], ""),
        ([], ["a@b.test"], ""),
        ([], ["CN=Li Na"], ""),
        ([], ["portal.bank.test\0.evil.test"], ""),
        ([], ["*.bank.test"], "*.bank.test"),
    ],
)
def test_who_a_certificate_is_of(uris: Sequence[str], hosts: Sequence[str], identity: str) -> None:
    pem = AUTHORITY.issue("Zhang Wei", uris=uris, hosts=hosts).certificate

    read = read_certificate(pem)

    assert read.identity == identity
    assert len(read.fingerprint) == 64
    assert read.valid_until_s > datetime.now(UTC).timestamp()


def test_what_is_no_certificate() -> None:
    with pytest.raises(ValueError, match="pars"):
        read_certificate(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")


def the_keys(pki: Pki) -> ServerKeys:
    files = TlsFiles(*(pki.folder / name for name in ("server.pem", "server.key", "ca.pem")))
    return read_server_keys(files, lambda: datetime.now(UTC))


def test_good_server_keys(tmp_path: Path) -> None:
    keys = the_keys(Pki(tmp_path))

    assert keys.key.startswith(b"-----BEGIN PRIVATE KEY")
    assert keys.valid_until > datetime.now(UTC)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("key", "is not the key of the certificate"),
        ("no key", "holds no private key"),
        ("no file", "cannot be read (No such file"),
        ("open", "others may read or change the server's private key"),
        ("group", "others may read or change the server's private key"),
        ("expired", "which is not now"),
        ("early", "which is not now"),
        ("no CA", "is no CA"),
        ("empty CA", "holds no certificate"),
    ],
)
def test_server_keys_that_are_not(tmp_path: Path, fault: str, message: str) -> None:
    pki = Pki(tmp_path)
    now = datetime.now(UTC)
    if fault == "key":
        pki.write("server.key", pki.client("other").key)
    elif fault == "no key":
        pki.write("server.key", b"key")
    elif fault == "no file":
        (tmp_path / "server.pem").unlink()
    elif fault == "open":
        (tmp_path / "server.key").chmod(0o604)
    elif fault == "group":
        (tmp_path / "server.key").chmod(0o640)
    elif fault == "no CA":
        pki.write("ca.pem", pki.client("other").certificate)
    elif fault == "empty CA":
        pki.write("ca.pem", b"\n")
    else:
        later = (now + timedelta(hours=1), now + DAY)
        pki.serve(pki.authority, valid=expired() if fault == "expired" else later)

    with pytest.raises(SetupError) as refused:
        the_keys(pki)

    assert message in str(refused.value)


@pytest.mark.parametrize(
    "key",
    [
        ed25519.Ed25519PrivateKey.generate(),
        ed448.Ed448PrivateKey.generate(),
        ec.generate_private_key(ec.SECP521R1()),
        ec.generate_private_key(ec.SECP256K1()),
        ec.generate_private_key(ec.BrainpoolP256R1()),
        rsa.generate_private_key(65537, 1024),  # noqa: S505 - what is refused
    ],
    ids=lambda key: type(key).__name__,
)
def test_keys_that_grpc_does_not_serve_with(tmp_path: Path, key: Any) -> None:
    """gRPC would keep the old ones in silence, or let nobody in."""
    pki = Pki(tmp_path)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pki.write("server.key", pem)

    with pytest.raises(SetupError, match="no client's TLS takes"):
        the_keys(pki)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()])
def test_a_key_of_its_certificate(tmp_path: Path, curve: ec.EllipticCurve) -> None:
    pki = Pki(tmp_path)
    key = ec.generate_private_key(curve)
    pki.write("server.pem", self_signed(key))
    pki.write("server.key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    assert the_keys(pki).valid_until > datetime.now(UTC)


def self_signed(key: ec.EllipticCurvePrivateKey, *extensions: tuple[str, bytes]) -> bytes:
    """A certificate with extensions as they are given, however they are written."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(17)
        .not_valid_before(datetime.now(UTC) - DAY)
        .not_valid_after(datetime.now(UTC) + DAY)
    )
    for number, value in extensions:
        unread = x509.UnrecognizedExtension(x509.ObjectIdentifier(number), value)
        builder = builder.add_extension(unread, critical=False)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


BAD_EXTENSIONS = {
    "constraints cut off": ("2.5.29.19", b"\x30\x03\x01\x01"),
    "names cut off": ("2.5.29.17", b"\x30\x03\x82\x05a"),
    "a name of X.400": ("2.5.29.17", bytes.fromhex("3004a3023000")),
}


@pytest.mark.parametrize("extension", BAD_EXTENSIONS.values(), ids=BAD_EXTENSIONS.keys())
def test_what_cannot_be_read_of_a_certificate(tmp_path: Path, extension: tuple[str, bytes]) -> None:
    pki = Pki(tmp_path)
    pem = self_signed(ec.generate_private_key(ec.SECP256R1()), extension)
    pki.write("ca.pem", pki.authority.issued.certificate + pem)

    with pytest.raises(SetupError, match="'CN=test' cannot be read"):
        the_keys(pki)
    if extension[0] == "2.5.29.17":
        with pytest.raises(ValueError, match=r"pars|supported"):
            read_certificate(pem)


_UNFORESEEN = "they cannot be read: ZeroDivisionError('integer division or modulo by zero')"


def test_a_fault_counts_at_the_second_look_and_the_last_good_stays(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("1")

    def read() -> int:
        try:
            return 6 // int(file.read_text()) and int(file.read_text())
        except ValueError as error:
            raise SetupError("is no number") from error

    followed = Followed("numbers", [file], read)
    seen = []
    for text in ("1", "2", "half", "3", "bad", "bad", "bad", "3", "gone", "0", "0", "4"):
        file.write_text(text)
        followed.look()
        seen.append((followed.current, followed.generation, followed.fault))

    assert seen == [
        (1, 0, ""), (2, 1, ""), (2, 1, ""), (3, 2, ""), (3, 2, ""),
        (3, 2, "is no number"), (3, 2, "is no number"), (3, 2, ""), (3, 2, ""),
        (3, 2, ""), (3, 2, _UNFORESEEN), (4, 3, ""),
    ]  # fmt: skip


ZHANG = Actor("zhang.wei", (), "spiffe://b/zhang", "aa")


@pytest.mark.parametrize(
    "approver",
    [
        ZHANG,
        Actor("Zhang Wei", (), "spiffe://b/other", "bb"),
        Actor("ｚｈａｎｇ.wei", (), "spiffe://b/other", "bb"),
        Actor("li.na", (), "spiffe://b/zhang", "bb"),
        Actor("li.na", (), "spiffe://b/li", "aa"),
        Actor("li.na", (), "li.na", "aa", "portal"),
    ],
)
def test_one_person_stays_one(approver: Actor) -> None:
    with pytest.raises(FourEyesError, match="another person must"):
        check_four_eyes("proposal-000001", ZHANG, approver)


@pytest.mark.parametrize(
    ("proposer", "approver"),
    [
        (ZHANG, Actor("li.na", (), "spiffe://b/li", "bb")),
        (Actor("a", (), "a", "aa", "portal"), Actor("b", (), "b", "aa", "portal")),
        (Actor("a"), Actor("b")),
    ],
)
def test_two_persons_are_two(proposer: Actor, approver: Actor) -> None:
    check_four_eyes("proposal-000001", proposer, approver)
