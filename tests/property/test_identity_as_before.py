"""Identifiers in names and remarks are found as by looking at each text by itself.

The functions of this file are the plain ones: a slow, obvious look at one text after the other.
"""

import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from fanzha.secrets.digests import Algorithm
from fanzha.secrets.token_key import plain_key
from fanzha.transport import identity
from fanzha.transport.door import Door
from fanzha.transport.identity import Tokens

TOKENS = Tokens(plain_key(bytes(32), Algorithm.BLAKE2B))
IDENTIFIERS = st.lists(
    st.one_of(
        st.from_regex(r"\A(86|\+86 ?)?[0-9]{5,12}\Z"),
        st.text("abcdefgAB0123456789-_. :", max_size=16),
        st.text("ab1１２ｂ\n@ßSsİıé", min_size=5, max_size=9),
        st.just("1" * 129),
    ),
    max_size=7,
)
NOISE = st.text("ab1 -_.\n@ßＳｓİé86１", max_size=6)


def unspelled(text: str) -> str:
    if text.isascii():
        return "".join(x for x in text.lower() if x.isalnum())
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(x for x in folded if x.isalnum())


def telling(identifiers: tuple[str, ...]) -> tuple[str, ...]:
    likely = (raw for raw in identifiers if raw and len(raw) <= 128)
    plain = (unspelled(raw).removeprefix("86") for raw in likely)
    return tuple(raw for raw in plain if len(raw) >= 7)


def tells(name: str, told: tuple[str, ...]) -> bool:
    if not name:
        return False
    mail = re.search(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+", unicodedata.normalize("NFKC", name))
    return any(raw in unspelled(name) for raw in told) or mail is not None


def redacted(text: str, identifiers: tuple[str, ...]) -> str:
    plain = unicodedata.normalize("NFKC", text)
    for raw in telling(identifiers):
        if raw in unspelled(plain):
            spelled = r"[\W_]*".join(map(re.escape, raw))
            plain = re.sub(spelled, "[redacted]", plain, flags=re.IGNORECASE)
    return identity.redacted(plain)


@st.composite
def asked(draw: st.DrawFn) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return identifiers, and names of which some hold one or a part of one."""
    identifiers = tuple(draw(IDENTIFIERS))
    parts = st.one_of(
        NOISE,
        st.sampled_from(["x@y.cn", "＠", "a" * 250, "\n"]),
        *([st.sampled_from(identifiers)] if identifiers else []),
        *([st.sampled_from(identifiers).map(lambda x: x[:4])] if identifiers else []),
        *([st.sampled_from(identifiers).map(lambda x: "-".join(x.upper()))] if identifiers else []),
    )
    names = draw(st.lists(st.lists(parts, max_size=4).map("".join), max_size=6))
    return identifiers, tuple(names)


@given(IDENTIFIERS)
def test_the_same_identifiers_are_looked_for(identifiers: list[str]) -> None:
    assert identity.telling(identifiers) == telling(tuple(identifiers))


@given(asked())
def test_the_same_names_are_refused(given_: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
    identifiers, names = given_
    told = telling(identifiers)
    door = Door(TOKENS)

    door.keep_out(identifiers, {f"name-{at}": name for at, name in enumerate(names)})

    assert [fault.field for fault in door.faults] == [
        f"name-{at}" for at, name in enumerate(names) if len(name) <= 256 and tells(name, told)
    ]


@given(asked())
def test_the_same_is_redacted(given_: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
    identifiers, names = given_
    text = "".join(names)

    assert identity.redacted(text, identifiers) == redacted(text, identifiers)
