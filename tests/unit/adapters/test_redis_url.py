"""URLs of Redis: what they say, what is wrong with them, and what is never shown of them."""

from pathlib import Path

import pytest

from fanzha.adapters.redis_url import Kind, Login, Target, masked, parse
from fanzha.domain.errors import SetupError


def test_a_single_server() -> None:
    target = parse("redis://user:p%40ss@host:7000/3")
    assert (target.kind, target.addresses) == (Kind.SINGLE, (("host", 7000),))
    assert target.login.commands() == [("AUTH", "user", "p@ss"), ("SELECT", 3)]


def test_a_unix_socket() -> None:
    assert parse("unix:///run/redis.sock").addresses == (("/run/redis.sock", 0),)
    assert parse("unix:///run/redis.sock?db=2").login == Login(db=2)


def test_sentinels() -> None:
    url = "redis+sentinel://:secret@a:1,b,[::1]:3/bank/2?sentinel_password=other"
    target = parse(url)
    assert target.kind is Kind.SENTINEL
    assert target.addresses == (("a", 1), ("b", 26_379), ("::1", 3))
    assert target.master_name == "bank"
    assert target.login.commands() == [("AUTH", "secret"), ("SELECT", 2)]
    assert target.sentinel_login.commands() == [("AUTH", "other")]


def test_a_cluster() -> None:
    target = parse("redis+cluster://user:word@a:7001,b")
    assert (target.kind, target.addresses) == (Kind.CLUSTER, (("a", 7001), ("b", 6_379)))
    assert target.login.commands() == [("AUTH", "user", "word")]


@pytest.mark.parametrize(
    "form", ["rediss://a:1/0", "rediss+sentinel://a:1/x", "rediss+cluster://a"]
)
def test_tls_is_for_every_topology_and_names_files_that_it_cannot_use(form: str) -> None:
    assert parse(form).tls is not None
    with pytest.raises(SetupError, match=r"ssl_certfile .*No such file"):
        parse(f"{form}?ssl_certfile=/nowhere/c.pem&ssl_keyfile=/nowhere/k.pem")
    with pytest.raises(SetupError, match="ssl_cert_reqs must be one of"):
        parse(f"{form}?ssl_cert_reqs=maybe")
    with pytest.raises(SetupError, match="unknown parameter ssl_magic"):
        parse(f"{form}?ssl_magic=1")


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://host", "malformed"),
        ("host:6379", "malformed"),
        ("redis://host:abc", "malformed"),
        ("redis://host?colour=red", "unknown parameter colour"),
        ("redis://host?db=red", "bad value of db"),
        ("redis+sentinel://a:1", "name of the master"),
        ("redis+sentinel://a:1/bank/one", "no number"),
        ("redis+sentinel:///bank", "no host"),
        ("redis+cluster://a:1/3", "no database but 0"),
        ("redis+cluster://", "no host"),
        ("redis+ring://a:1", "malformed"),
    ],
)
def test_a_fault_is_named_with_what_would_be_right(url: str, fault: str) -> None:
    with pytest.raises(SetupError, match=fault) as raised:
        parse(url)
    assert "redis+cluster://host:6379" in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://user:S3CRET@host:abc",
        "redis://:S3CRET@host?colour=red",
        "redis://:S3CRET/with/slashes@host:6379",
        "redis://:12/S3CRET#x@host:6379/0?colour=1",
        "redis://host?password=S3CRET&colour=red",
        "redis+sentinel://:S3CRET@a:1",
        "redis+sentinel://a:1/bank/x?sentinel_password=S3CRET",
        "redis+cluster://u:S3CRET@a:b",
        "rediss://host?ssl_password=S3CRET&colour=red",
        "rediss://host?ssl_password=S3CRET&ssl_certfile=/nowhere",
    ],
)
def test_no_password_is_ever_shown(url: str) -> None:
    with pytest.raises(SetupError) as raised:
        parse(url)
    shown = f"{raised.value} {raised.value!r} {raised.value.__cause__} {masked(url)}"
    assert "S3CRET" not in shown


def test_a_password_is_read_from_its_file_for_each_connection(tmp_path: Path) -> None:
    file, other = tmp_path / "redis", tmp_path / "sentinel"
    file.write_text("first\n")
    other.write_text("other")
    url = f"redis+sentinel://bank@a:1/x/0?password_file={file}&sentinel_password_file={other}"
    target = parse(url)
    assert target.login.commands() == [("AUTH", "bank", "first")]
    assert target.sentinel_login.commands() == [("AUTH", "other")]
    file.write_text("second")
    assert target.login.commands() == [("AUTH", "bank", "second")]
    file.unlink()
    with pytest.raises(SetupError, match=str(file)):
        parse(url)


def test_a_target_does_not_show_its_passwords() -> None:
    target: Target = parse("redis+sentinel://u:S3CRET@a:1/bank?sentinel_password=S3CRET")
    assert "S3CRET" not in repr(target)
