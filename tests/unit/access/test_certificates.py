"""What certificates say, which server keys are good, and how files are followed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
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
        ("open", "everybody may read it"),
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


def test_a_fault_counts_at_the_second_look_and_the_last_good_stays(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("1")

    def read() -> int:
        try:
            return int(file.read_text())
        except ValueError as error:
            raise SetupError("is no number") from error

    followed = Followed("numbers", [file], read)
    seen = []
    for text in ("1", "2", "half", "3", "bad", "bad", "bad", "3", "gone"):
        file.write_text(text)
        followed.look()
        seen.append((followed.current, followed.generation, followed.fault))

    assert seen == [
        (1, 0, ""), (2, 1, ""), (2, 1, ""), (3, 2, ""), (3, 2, ""),
        (3, 2, "is no number"), (3, 2, "is no number"), (3, 2, ""), (3, 2, ""),
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
