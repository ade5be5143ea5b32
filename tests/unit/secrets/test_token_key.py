"""The token key's file: wrapped in three ways, never readable by others, never wrong in silence."""

import base64
import json
import os
import shlex
import sys
import time
from pathlib import Path

import pytest

from fanzha.domain.errors import SetupError
from fanzha.secrets.digests import Algorithm
from fanzha.secrets.opening import open_token_key, wrapper_of
from fanzha.secrets.token_key import (
    TokenKey,
    new_key,
    plain_key,
    read_key_file,
    replace_key,
    wrapped_content,
    write_new_key,
)
from fanzha.secrets.wrapping import KekFile, KmsCommand, PassphraseFile, Wrapper


def private(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def a_kms(folder: Path, *, code: int = 0, says: str = "") -> str:
    """A command that unwraps by turning the bytes around."""
    script = folder / f"kms-{code}-{len(says)}.py"
    script.write_text(
        "import sys\n"
        "wrapped = sys.stdin.buffer.read()\n"
        f"sys.stderr.write({says!r})\n"
        f"sys.stdout.buffer.write(wrapped[::-1]) if not {code} else None\n"
        f"sys.exit({code})\n"
    )
    return shlex.join([sys.executable, str(script)])


@pytest.fixture(params=["file", "kms", "passphrase"])
def wrapper(request: pytest.FixtureRequest, tmp_path: Path) -> Wrapper:
    if request.param == "file":
        return KekFile(private(tmp_path / "kek", os.urandom(32)))
    if request.param == "kms":
        return KmsCommand(a_kms(tmp_path), os.urandom(32))
    return PassphraseFile(private(tmp_path / "phrase", "十二个字节以上的口令\n".encode()))


def test_a_wrapped_key_comes_back_and_stands_nowhere_in_its_file(
    tmp_path: Path, wrapper: Wrapper
) -> None:
    key = new_key(Algorithm.HMAC_SM3).with_new(Algorithm.BLAKE2B)
    write_new_key(tmp_path / "key.json", wrapped_content(key, wrapper))

    found = read_key_file(tmp_path / "key.json")

    assert found.unwrap(wrapper) == key
    assert found.method == wrapper.method
    assert (tmp_path / "key.json").stat().st_mode & 0o777 == 0o600
    for each in key.keys:
        for form in (each.secret, base64.b64encode(each.secret)[:-4], each.secret.hex().encode()):
            assert form not in found.content
            assert form.decode("latin1") not in repr(key)


def test_the_kms_is_asked_with_what_the_file_holds(tmp_path: Path) -> None:
    key, wrapped = new_key(Algorithm.BLAKE2B), os.urandom(32)
    command = a_kms(tmp_path)
    write_new_key(tmp_path / "key", wrapped_content(key, KmsCommand(command, wrapped)))

    assert read_key_file(tmp_path / "key").unwrap(wrapper_of(None, command, None)) == key


@pytest.mark.parametrize("part", ["algorithms", "wrapping", "nonce", "wrapped"])
def test_an_altered_file_is_refused(tmp_path: Path, part: str) -> None:
    kek = KekFile(private(tmp_path / "kek", os.urandom(32)))
    stored = json.loads(wrapped_content(new_key(Algorithm.BLAKE2B), kek))
    stored[part] = {
        "algorithms": ["hmac-sm3"],
        "wrapping": {"by": "file", "more": 1},
        "nonce": base64.b64encode(bytes(12)).decode(),
        "wrapped": base64.b64encode(bytes(48)).decode(),
    }[part]
    private(tmp_path / "key", json.dumps(stored).encode())

    with pytest.raises(SetupError, match="altered, or wrapped by another key"):
        read_key_file(tmp_path / "key").unwrap(kek)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "another format"),
        ({"wrapping": {"by": "magic"}}, "another format"),
        ({"wrapping": 3}, "no token key"),
        ({"nonce": "%"}, "damaged"),
        ({"algorithms": ["md5"]}, "damaged"),
        ({"algorithms": []}, "altered"),
    ],
)
def test_files_of_no_sense_are_refused(tmp_path: Path, change: object, message: str) -> None:
    kek = KekFile(private(tmp_path / "kek", os.urandom(32)))
    stored = json.loads(wrapped_content(new_key(Algorithm.BLAKE2B), kek)) | change
    private(tmp_path / "key", json.dumps(stored).encode())

    with pytest.raises(SetupError, match=message):
        read_key_file(tmp_path / "key").unwrap(kek)


def test_another_wrapping_key_or_way_is_refused(tmp_path: Path, wrapper: Wrapper) -> None:
    write_new_key(tmp_path / "key", wrapped_content(new_key(Algorithm.BLAKE2B), wrapper))
    other = KekFile(private(tmp_path / "other", os.urandom(32)))

    with pytest.raises(SetupError, match=r"wrapped by|altered"):
        read_key_file(tmp_path / "key").unwrap(other)
    with pytest.raises(SetupError, match="FANZHA_TOKEN_"):
        read_key_file(tmp_path / "key").unwrap(None)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_files_that_others_may_read_or_change_are_refused(tmp_path: Path, mode: int) -> None:
    for name in ("key", "kek"):
        private(tmp_path / name, os.urandom(32)).chmod(mode)

    with pytest.raises(SetupError, match="chmod 600"):
        read_key_file(tmp_path / "key")
    with pytest.raises(SetupError, match="chmod 600"):
        KekFile(tmp_path / "kek").key({})


def test_keys_are_never_overwritten_but_for_their_wrapping(tmp_path: Path) -> None:
    old, new = (KekFile(private(tmp_path / name, os.urandom(32))) for name in ("old", "new"))
    key = new_key(Algorithm.BLAKE2B)
    write_new_key(tmp_path / "key", wrapped_content(key, old))

    with pytest.raises(SetupError, match="never overwritten"):
        write_new_key(tmp_path / "key", wrapped_content(new_key(Algorithm.BLAKE2B), old))
    replace_key(tmp_path / "key", wrapped_content(key, new))

    assert read_key_file(tmp_path / "key").unwrap(new) == key
    with pytest.raises(SetupError, match="another key"):
        read_key_file(tmp_path / "key").unwrap(old)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["key", "new", "old"]


def test_a_kms_that_fails_says_so_and_nothing_of_what_it_said(tmp_path: Path) -> None:
    wrapped = os.urandom(32)
    failing = KmsCommand(a_kms(tmp_path, code=3, says="the secret is tea"), wrapped)
    short = KmsCommand(a_kms(tmp_path), b"short")
    slow = KmsCommand(shlex.join([sys.executable, "-c", "import time; time.sleep(60)"]), b"x", 0.2)

    with pytest.raises(SetupError, match="ended with 3") as failure:
        failing.fresh()
    assert "tea" not in str(failure.value)
    with pytest.raises(SetupError, match="gave 5 bytes, not 32"):
        short.fresh()
    with pytest.raises(SetupError, match=r"no key within 0\.2 s"):
        slow.fresh()
    with pytest.raises(SetupError, match="cannot be run"):
        KmsCommand("/no/such/program", b"x").fresh()
    with pytest.raises(SetupError, match="--kms-wrapped-kek"):
        KmsCommand(a_kms(tmp_path)).fresh()


def test_a_passphrase_is_long_and_its_cost_bounded(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="shorter than 12"):
        PassphraseFile(private(tmp_path / "short", b"short\n")).fresh()
    long = PassphraseFile(private(tmp_path / "long", b"long enough to count\n"))
    with pytest.raises(SetupError, match="asks for a cost"):
        long.key({"salt": base64.b64encode(bytes(16)).decode(), "n": 2**40})


class TestOfADeployment:
    """`open_token_key`, as the service calls it."""

    def test_a_plain_key_is_made_once_and_kept_private(self, tmp_path: Path) -> None:
        first, second = (open_token_key(None, tmp_path, None, None, is_near=True) for _ in range(2))

        assert first == second
        assert first.algorithm is Algorithm.BLAKE2B
        assert (tmp_path / "token.key").stat().st_mode & 0o077 == 0

    def test_a_plain_key_is_warned_of_only_where_others_reach_the_service(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        open_token_key(None, tmp_path, None, None, is_near=True)
        assert not caplog.records

        open_token_key(None, tmp_path, None, None, is_near=False)
        assert "token-key wrap" in caplog.text

    def test_the_algorithm_of_a_plain_key_is_a_setting_that_of_a_wrapped_one_is_not(
        self, tmp_path: Path
    ) -> None:
        kek = KekFile(private(tmp_path / "kek", os.urandom(32)))
        plain = open_token_key(None, tmp_path, None, Algorithm.HMAC_SM3, is_near=True)
        write_new_key(tmp_path / "sm3", wrapped_content(plain, kek))

        def opened(algorithm: Algorithm | None) -> TokenKey:
            return open_token_key(tmp_path / "sm3", tmp_path, kek, algorithm, is_near=False)

        assert opened(None) == opened(Algorithm.HMAC_SM3) == plain
        with pytest.raises(SetupError, match="is for hmac-sm3"):
            opened(Algorithm.BLAKE2B)

    def test_what_unwraps_is_given_once_and_for_a_wrapped_key_only(self, tmp_path: Path) -> None:
        kek = private(tmp_path / "kek", os.urandom(32))
        with pytest.raises(SetupError, match="one of: file and kms"):
            wrapper_of(kek, "true", None)
        with pytest.raises(SetupError, match="token-key new"):
            open_token_key(None, tmp_path, KekFile(kek), None, is_near=True)
        plain = private(tmp_path / "plain", os.urandom(32))
        with pytest.raises(SetupError, match="is not wrapped, although file"):
            open_token_key(plain, tmp_path, KekFile(kek), None, is_near=True)

    def test_a_key_of_another_length_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(SetupError, match="32 random bytes"):
            open_token_key(private(tmp_path / "k", b"short"), tmp_path, None, None, is_near=True)


def test_fingerprints_tell_keys_and_algorithms_apart() -> None:
    keys = [
        plain_key(bytes(32)),
        plain_key(bytes(32), Algorithm.HMAC_SM3),
        plain_key(b"k" * 32),
        plain_key(bytes(32)).with_new(Algorithm.BLAKE2B),
    ]

    assert len({key.fingerprint for key in keys}) == 4
    assert keys[3].fingerprint.startswith(keys[0].fingerprint)


@pytest.mark.parametrize(
    "content",
    [
        '{"a":' * 10_000,
        '{"format": "fanzha token key", "version": 1, "wrapping": {"by": []}}',
        '{"format": "fanzha token key", "version": 1, "wrapping": {"by": {}}}',
        '{"format": ' + "9" * 5_000 + "}",
    ],
    ids=["deep", "list", "map", "number"],
)
def test_what_looks_like_a_key_and_is_none_is_told(tmp_path: Path, content: str) -> None:
    with pytest.raises(SetupError, match="is no token key"):
        read_key_file(private(tmp_path / "key", content.encode()))


def test_a_cost_without_end_is_told(tmp_path: Path) -> None:
    phrase = PassphraseFile(private(tmp_path / "phrase", b"twelve bytes and more"))
    with pytest.raises(SetupError, match="names no salt and cost"):
        phrase.key({"salt": "AAAA", "n": float("inf")})


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "key", 0o600)
    with pytest.raises(SetupError, match="is no file"):
        read_key_file(tmp_path / "key")


def test_a_kms_that_talks_without_end_is_not_heard_out() -> None:
    talking = KmsCommand("head -c 100000000000 /dev/zero", b"x" * 60_000)
    with pytest.raises(SetupError, match="more than 32 bytes, not 32"):
        talking.fresh()


def test_what_a_slow_kms_started_ends_with_it(tmp_path: Path) -> None:
    left = tmp_path / "pid"
    script = f"sleep 600 & echo $! > {left}; wait"
    with pytest.raises(SetupError, match="no key within 1 s"):
        KmsCommand(shlex.join(["sh", "-c", script]), b"x", 1.0).fresh()

    end = time.monotonic() + 60
    while is_running(int(left.read_text())):
        assert time.monotonic() < end
        time.sleep(0.05)


def is_running(process: int) -> bool:
    """Whether it is there, and no zombie that nobody has waited for."""
    try:
        return Path(f"/proc/{process}/stat").read_text("ascii").split()[2] != "Z"
    except OSError:
        return False


def test_a_kms_that_reads_nothing_is_believed() -> None:
    assert KmsCommand("head -c 32 /dev/zero", b"x" * 60_000).fresh()[0] == bytes(32)
