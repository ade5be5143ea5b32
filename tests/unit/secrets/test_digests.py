"""Keyed digests, against published vectors and against HMAC written out by hand."""

import hashlib

import pytest
from cryptography.hazmat.primitives.hashes import SM3, Hash

from fanzha.secrets.digests import Algorithm, keyed_digest


def sm3(text: bytes) -> bytes:
    state = Hash(SM3())
    state.update(text)
    return state.finalize()


def hmac_sm3(key: bytes, text: bytes) -> bytes:
    """RFC 2104, for keys of at most a block of 64 bytes."""
    filled = key.ljust(64, b"\0")
    inner = sm3(bytes(byte ^ 0x36 for byte in filled) + text)
    return sm3(bytes(byte ^ 0x5C for byte in filled) + inner)


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        # GB/T 32905-2016, appendix A.
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ],
)
def test_sm3_gives_the_published_digests(text: bytes, digest: str) -> None:
    assert sm3(text).hex() == digest


@pytest.mark.parametrize("text", [b"", b"6222020200112233445", b"x" * 1000])
def test_hmac_sm3_is_the_hmac_of_rfc_2104_over_purpose_and_text(text: bytes) -> None:
    key = bytes(range(32))

    made = keyed_digest(Algorithm.HMAC_SM3, key, b"account")(text)

    assert made == hmac_sm3(key, b"account" + bytes(9) + text)[:16]


def test_blake2b_is_keyed_and_personalised_as_in_rfc_7693() -> None:
    key = bytes(range(32))

    made = keyed_digest(Algorithm.BLAKE2B, key, b"account")(b"6222020200112233445")

    expected = hashlib.blake2b(b"6222020200112233445", key=key, digest_size=16, person=b"account")
    assert made == expected.digest()


@pytest.mark.parametrize("algorithm", Algorithm)
def test_keys_purposes_and_texts_all_count_and_calls_do_not_disturb_each_other(
    algorithm: Algorithm,
) -> None:
    keys, purposes = (bytes(32), b"k" * 32), (b"account", b"phone")
    digests = [keyed_digest(algorithm, key, purpose) for key in keys for purpose in purposes]

    made = [digest(text) for _ in range(2) for digest in digests for text in (b"a", b"b", b"ab")]

    assert made[:12] == made[12:]
    assert len(set(made)) == 12
    assert {len(digest) for digest in made} == {16}
