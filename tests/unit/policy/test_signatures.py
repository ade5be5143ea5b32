"""A policy of one's own takes two people's signatures, over this file and no other."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.people import a_person, a_stranger

from fanzha.domain.errors import FileRefusedError, NotTrustedError, SetupError
from fanzha.policy.load import DEFAULT_POLICY, load_policy
from fanzha.policy.signatures import (
    Kind,
    check_signed,
    read_own_file,
    sign_file,
    signatures_file,
)
from fanzha.signing.keys import Signer, read_trusted

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


class Office:
    """A policy, and those who may sign it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "policy.yaml"
        self.file.write_bytes(DEFAULT_POLICY.read_bytes())
        self.keys = folder / "keys"
        self.private = folder / "private"
        self.anna, self.bo = (a_person(name, self.private, self.keys) for name in ("anna", "bo"))

    def sign(self, *people: Signer, kind: Kind = Kind.POLICY) -> None:
        for person in people:
            sign_file(self.file, self.file.read_bytes(), kind, person, "we agreed", NOW)

    def read(self, kind: Kind = Kind.POLICY) -> bytes:
        return read_own_file(self.file, kind, read_trusted(self.keys), is_near=False)

    def change(self, change: Callable[[Any], object]) -> None:
        place = signatures_file(self.file)
        stored = json.loads(place.read_text())
        change(stored)
        place.write_text(json.dumps(stored))


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_a_policy_that_two_people_signed_is_used_as_they_saw_it(office: Office) -> None:
    office.sign(office.anna, office.bo)

    content = office.read()
    office.file.write_text("version: exchanged after it was checked\n")

    assert content == DEFAULT_POLICY.read_bytes()
    assert load_policy(office.file, content=content).version == load_policy().version


def test_who_signed_is_told(office: Office) -> None:
    office.sign(office.anna, office.bo)

    found = check_signed(
        office.file, office.file.read_bytes(), Kind.POLICY, read_trusted(office.keys)
    )

    assert [(each.part.value, each.by, each.reason) for each in found.signatures] == [
        ("propose", "anna", "we agreed"),
        ("approve", "bo", "we agreed"),
    ]


def test_one_person_is_not_enough_and_signs_once(office: Office) -> None:
    with pytest.raises(NotTrustedError, match="is not signed"):
        office.read()
    office.sign(office.anna)
    with pytest.raises(NotTrustedError, match="one person alone"):
        office.read()
    with pytest.raises(SetupError, match="another person"):
        office.sign(office.anna)
    with pytest.raises(SetupError, match="with a key of their own"):
        office.sign(Signer("anna again", office.anna.private))


@pytest.mark.parametrize("at", [0, 40, -1])
def test_one_changed_byte_takes_both_signatures_away(office: Office, at: int) -> None:
    office.sign(office.anna, office.bo)
    content = bytearray(office.file.read_bytes())
    content[at] ^= 1
    office.file.write_bytes(content)

    with pytest.raises(NotTrustedError, match="not the file that was signed"):
        office.read()
    office.sign(office.anna)
    with pytest.raises(NotTrustedError, match="one person alone"):
        office.read()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s["signatures"].reverse(), "another proposal"),
        (lambda s: s["signatures"][1].update(previous="00"), "not over what it says"),
        (lambda s: s["signatures"][0].update(by="bo"), "not over what it says"),
        (lambda s: s["signatures"][0].update(time="2020-01-01T00:00:00Z"), "not over what it says"),
        (lambda s: s["signatures"][0].update(reason="another"), "not over what it says"),
        (lambda s: s["signatures"][0].update(signature="zz"), "not over what it says"),
        (lambda s: s["signatures"].append(s["signatures"][1]), "another proposal"),
        (lambda s: s["signatures"].__setitem__(1, s["signatures"][0]), "another proposal"),
        (lambda s: s.update(sha256="00"), "not the file that was signed"),
        (lambda s: s.update(kind="prompts"), "signs prompts, not policy"),
        (lambda s: s.update(kind="model"), "no file of signatures"),
        (lambda s: s.update(more=1), "holds more"),
        (lambda s: s.pop("signatures"), "holds more"),
        (lambda s: s.update(signatures=3), "no file of signatures"),
    ],
)
def test_altered_signatures_do_not_count(
    office: Office, change: Callable[[Any], object], message: str
) -> None:
    office.sign(office.anna, office.bo)
    office.change(change)

    with pytest.raises(NotTrustedError, match=message):
        office.read()


def test_one_person_with_two_keys_is_one_person(office: Office) -> None:
    again = a_person("Anna", office.private, office.keys)
    office.sign(office.anna, again)

    with pytest.raises(NotTrustedError, match="signed twice"):
        office.read()


def test_strangers_machines_and_retired_keys_do_not_count(office: Office) -> None:
    machine = a_person("pipeline", office.private, office.keys, is_machine=True)
    stranger = a_stranger("eve", office.private)
    for second, message in ((machine, "is a machine"), (stranger, "is not trusted")):
        signatures_file(office.file).unlink(missing_ok=True)
        office.sign(office.anna, second)
        with pytest.raises(NotTrustedError, match=message):
            office.read()
    signatures_file(office.file).unlink()
    office.sign(office.anna, office.bo)
    assert office.read()
    with (office.keys / "bo.pub").open("a") as file:
        file.write("retired-after: 3\n")

    with pytest.raises(NotTrustedError, match="the key of bo counts up to"):
        office.read()


def test_a_signature_over_prompts_is_none_over_a_policy(office: Office) -> None:
    office.sign(office.anna, office.bo, kind=Kind.PROMPTS)
    office.change(lambda stored: stored.update(kind="policy"))

    with pytest.raises(NotTrustedError, match="not over what it says"):
        office.read()


def test_without_named_signers_an_unsigned_file_will_do_on_this_machine_alone(
    office: Office,
) -> None:
    assert read_own_file(office.file, Kind.POLICY, None, is_near=True)
    with pytest.raises(NotTrustedError, match="FANZHA_POLICY_KEYS"):
        read_own_file(office.file, Kind.POLICY, None, is_near=False)
    with pytest.raises(FileRefusedError, match="cannot be read"):
        read_own_file(office.file.with_name("none"), Kind.POLICY, None, is_near=True)


@pytest.mark.parametrize("content", [b"", b"[", b"[]", b"\xff", b"[" * 60_000, b" " * 70_000])
def test_what_is_no_file_of_signatures_is_told(office: Office, content: bytes) -> None:
    signatures_file(office.file).write_bytes(content)

    with pytest.raises(NotTrustedError, match=r"no file of signatures|larger than"):
        office.read()
