"""Who may say what about a model, and what follows from it."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from tests.model_folders import NOW, Bank, a_bank, a_model, change_manifest, standing
from tests.people import a_person, a_stranger

from fanzha.domain.errors import (
    ModelRefusedError,
    NotTrustedError,
    RegistryRefusedError,
    SetupError,
)
from fanzha.registry.changes import Registrar
from fanzha.registry.model_folder import check_signature, read_model_folder
from fanzha.registry.registry_file import history_of, read_history
from fanzha.registry.standing import standing_of
from fanzha.registry.statements import Statement, signed
from fanzha.signing.keys import read_trusted


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return a_bank(tmp_path)


def change_history(bank: Bank, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Change the registry's file by hand."""
    file = bank.models / "registry.json"
    stored = json.loads(file.read_text())
    change(stored["statements"])
    file.write_text(json.dumps(stored))


class TestPromote:
    """A model becomes champion when one person proposes it and another one approves."""

    def test_by_two_people(self, bank: Bank) -> None:
        bank.says(bank.anna).propose("fraud/2", bank.gate_report("fraud/2"))
        assert standing(bank.models).champion_label == "fraud/1"

        statement, after = bank.says(bank.bo).approve("fraud/2")

        assert after.champion_label == standing(bank.models).champion_label == "fraud/2"
        assert statement.champion_before == "fraud/1"
        assert statement.time == "2026-11-25T08:30:00Z"
        assert after.cause == "statement 4: proposed by anna, approved by bo"
        assert after.proposals == {}

    def test_not_by_one_person(self, bank: Bank) -> None:
        bank.says(bank.anna).propose("fraud/2", bank.gate_report("fraud/2"))

        with pytest.raises(RegistryRefusedError, match="anna proposed fraud/2 and cannot approve"):
            bank.says(bank.anna).approve("fraud/2")

        assert standing(bank.models).champion_label == "fraud/1"

    def test_not_by_one_key_under_two_names(self, bank: Bank) -> None:
        (bank.keys / "eve.pub").write_bytes((bank.keys / "anna.pub").read_bytes())
        bank.says(bank.anna).propose("fraud/2", bank.gate_report("fraud/2"))

        with pytest.raises(RegistryRefusedError, match="under any name"):
            bank.says(replace(bank.anna, name="eve")).approve("fraud/2")

    def test_not_by_a_machine(self, bank: Bank) -> None:
        bank.says(bank.anna).propose("fraud/2", bank.gate_report("fraud/2"))

        with pytest.raises(NotTrustedError, match="pipeline is a machine"):
            bank.says(bank.pipeline).approve("fraud/2")

    def test_not_by_a_stranger(self, bank: Bank, tmp_path: Path) -> None:
        bank.says(bank.anna).propose("fraud/2", bank.gate_report("fraud/2"))

        with pytest.raises(NotTrustedError, match=r"eve is not trusted.*eve\.pub"):
            bank.says(a_stranger("eve", tmp_path / "eve")).approve("fraud/2")

    def test_not_under_another_name(self, bank: Bank) -> None:
        with pytest.raises(NotTrustedError, match="the key of bo, not of anna"):
            bank.says(replace(bank.bo, name="anna")).propose("fraud/2", bank.gate_report("fraud/2"))

    def test_not_without_a_proposal(self, bank: Bank) -> None:
        with pytest.raises(RegistryRefusedError, match="nobody proposed fraud/2"):
            bank.says(bank.bo).approve("fraud/2")

    def test_not_of_files_that_were_exchanged_after_the_proposal(self, bank: Bank) -> None:
        bank.says(bank.anna).propose("fraud/2", bank.gate_report("fraud/2"))
        change_manifest(bank.models / "fraud" / "2", bank.pipeline, metrics={"better": True})

        with pytest.raises(RegistryRefusedError, match="not those that anna proposed"):
            bank.says(bank.bo).approve("fraud/2")

    def test_not_after_another_champion_came(self, bank: Bank) -> None:
        a_model(bank.models, "3", bank.pipeline)
        bank.says(bank.anna).propose("fraud/2", bank.gate_report("fraud/2"))
        bank.promote("fraud/3")

        with pytest.raises(RegistryRefusedError, match="nobody proposed fraud/2 over the present"):
            bank.says(bank.bo).approve("fraud/2")

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"passed": False}, "did not pass the gate"),
            ({"checks": []}, r"did not pass the gate \(no checks\)"),
            ({"checks": [{"name": "speed", "passed": False}]}, r"did not pass the gate \(speed\)"),
            ({"champion": "fraud/0"}, "compared fraud/2 with fraud/0, but the champion is fraud/1"),
            ({"champion_manifest_sha256": "0" * 64}, "other files than those of the champion"),
            ({"manifest_sha256": "0" * 64}, "with other files"),
            ({"candidate": "fraud/1"}, "is the gate report of fraud/1"),
            ({"margins": None}, "is no gate report"),
        ],
    )
    def test_not_on_another_report(self, bank: Bank, changes: dict[str, Any], message: str) -> None:
        before = (bank.models / "registry.json").read_bytes()

        with pytest.raises(SetupError, match=message):
            bank.says(bank.anna).propose("fraud/2", bank.gate_report("fraud/2", **changes))

        assert (bank.models / "registry.json").read_bytes() == before

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"passed": true}', "{"])
    def test_not_on_what_is_no_report(self, bank: Bank, content: str) -> None:
        file = bank.private / "report.json"
        file.write_text(content)

        with pytest.raises(SetupError, match="is no gate report"):
            bank.says(bank.anna).propose("fraud/2", file)

    @pytest.mark.parametrize("label", ["fraud", "../fraud/2", "fraud/../1", "/etc/x", "fraud/9"])
    def test_not_of_what_is_no_model(self, bank: Bank, label: str) -> None:
        report = bank.gate_report("fraud/2")

        with pytest.raises(ModelRefusedError):
            bank.says(bank.anna).propose(label, report)

    def test_not_of_the_champion(self, bank: Bank) -> None:
        with pytest.raises(RegistryRefusedError, match="is the champion already"):
            bank.says(bank.anna).propose("fraud/1", bank.gate_report("fraud/1"))


class TestRollback:
    """One person may go back to what was the champion, and nowhere else."""

    def test_goes_to_the_one_before(self, bank: Bank) -> None:
        bank.promote("fraud/2")

        _, after = bank.says(bank.bo).roll_back(None)

        assert after.champion_label == "fraud/1"

    def test_twice_does_not_bring_the_bad_model_back(self, bank: Bank) -> None:
        bank.promote("fraud/2")
        bank.says(bank.bo).roll_back(None)

        with pytest.raises(SetupError, match="was promoted over no other model"):
            bank.says(bank.bo).roll_back(None)

        _, after = bank.says(bank.bo).roll_back("fraud/2")
        assert after.champion_label == "fraud/2"

    def test_not_to_what_never_was_champion(self, bank: Bank) -> None:
        with pytest.raises(RegistryRefusedError, match="fraud/2 is no former champion"):
            bank.says(bank.bo).roll_back("fraud/2")

    def test_not_to_other_files_under_its_name(self, bank: Bank) -> None:
        bank.promote("fraud/2")
        change_manifest(bank.models / "fraud" / "1", bank.pipeline, metrics={"better": True})

        with pytest.raises(RegistryRefusedError, match="not those that were the champion"):
            bank.says(bank.bo).roll_back(None)


class TestShadow:
    """One person may have a model score beside the champion."""

    def test_on_and_off(self, bank: Bank) -> None:
        _, on = bank.says(bank.bo).shadow("fraud/2")
        assert on.shadow is not None
        assert (on.shadow.label, on.champion_label) == ("fraud/2", "fraud/1")

        _, off = bank.says(bank.bo).unshadow()

        assert off.shadow is None

    def test_ends_when_it_becomes_the_champion(self, bank: Bank) -> None:
        bank.says(bank.bo).shadow("fraud/2")

        bank.promote("fraud/2")

        assert standing(bank.models).shadow is None

    def test_not_of_the_champion_nor_twice_nor_off_without_one(self, bank: Bank) -> None:
        with pytest.raises(RegistryRefusedError, match="cannot be its own shadow"):
            bank.says(bank.bo).shadow("fraud/1")
        with pytest.raises(RegistryRefusedError, match="no model scores in shadow"):
            bank.says(bank.bo).unshadow()
        bank.says(bank.bo).shadow("fraud/2")
        with pytest.raises(RegistryRefusedError, match="is the shadow already"):
            bank.says(bank.bo).shadow("fraud/2")


class TestHistory:
    """A registry counts as its people signed it, whole and in order, or not at all."""

    @pytest.fixture
    def lived(self, bank: Bank) -> Bank:
        bank.says(bank.bo).shadow("fraud/2")
        bank.promote("fraud/2")
        bank.says(bank.anna).roll_back("fraud/1")
        return bank

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("model", "fraud/2"), ("by", "bo"), ("number", 9), ("champion_before", "fraud/2"),
            ("manifest_sha256", "0" * 64), ("time", "2026-01-01T00:00:00Z"), ("reason", "because"),
            ("key", "0" * 64), ("previous", "0" * 64), ("signature", "0" * 128),
            ("action", "approve"), ("gate", None),
        ],
    )  # fmt: skip
    def test_a_changed_field_is_noticed(self, lived: Bank, field: str, value: object) -> None:
        change_history(lived, lambda said: said[0].update({field: value}))

        with pytest.raises(RegistryRefusedError, match="statement 1 of the registry"):
            standing(lived.models)

    @pytest.mark.parametrize(
        ("story", "change"),
        [
            ("left out", lambda said: said.pop(2)),
            ("twice", lambda said: said.append(said[-1])),
            ("exchanged", lambda said: said.reverse()),
            ("a check of the gate changed",
             lambda said: said[0]["gate"]["checks"][0].update({"candidate": "nobody"})),
            ("one field more", lambda said: said[0].update({"extra": 1})),
            ("a number for a name", lambda said: said[0].update({"by": 1})),
            ("no number", lambda said: said[0]["gate"]["margins"].update({"more": float("inf")})),
            ("no object", lambda said: said.append("promote fraud/2")),
        ],
    )  # fmt: skip
    def test_a_changed_history_is_noticed(
        self, lived: Bank, story: str, change: Callable[[list[dict[str, Any]]], None]
    ) -> None:
        change_history(lived, change)

        with pytest.raises(RegistryRefusedError):
            standing(lived.models)

    def test_an_old_approval_counts_in_no_other_state(self, lived: Bank) -> None:
        """After the rollback, Anna's new proposal cannot be joined to Bo's old approval."""
        lived.says(lived.anna).propose("fraud/2", lived.gate_report("fraud/2"))
        old = next(x for x in read_history(lived.models) if x.number == 5)
        assert (old.action, old.model) == ("approve", "fraud/2")

        for number in (5, 8):
            change_history(lived, lambda said, n=number: said.append(asdict(old) | {"number": n}))
            with pytest.raises(RegistryRefusedError, match="statement 8 of the registry"):
                standing(lived.models)
            change_history(lived, lambda said: said.pop())
        assert standing(lived.models).champion_label == "fraud/1"

    def test_one_person_cannot_write_both_halves(self, bank: Bank) -> None:
        """Whoever can write the file still needs the other's key."""
        bank.says(bank.anna).propose("fraud/2", bank.gate_report("fraud/2"))
        history = read_history(bank.models)
        forged = replace(
            history[-1], number=4, action="approve", previous=history[-1].digest, gate=None
        )

        for by, key in (("anna", bank.anna.key), ("bo", bank.bo.key), ("bo", bank.anna.key)):
            approval: Statement = signed(replace(forged, by=by, key=key), bank.anna)
            with pytest.raises(RegistryRefusedError, match="statement 4"):
                standing_of([*history, approval], read_trusted(bank.keys))

    @pytest.mark.parametrize(
        "content",
        ["", "{", "[]", '{"champion": "fraud/1"}', '{"statements": {}}', "null",
         '{"statements": [], "champion": "fraud/1"}'],
    )  # fmt: skip
    def test_what_is_no_registry_is_refused_and_not_overwritten(
        self, bank: Bank, content: str
    ) -> None:
        (bank.models / "registry.json").write_text(content)

        with pytest.raises(RegistryRefusedError):
            bank.says(bank.bo).shadow("fraud/2")

        assert (bank.models / "registry.json").read_text() == content


class TestKeys:
    """A key counts while it is trusted; one that is retired, for what it said until then."""

    def test_without_a_key_nothing_counts(self, bank: Bank) -> None:
        (bank.keys / "bo.pub").unlink()

        with pytest.raises(NotTrustedError, match="the key of bo is not trusted"):
            standing(bank.models)

    def test_a_retired_key_counts_for_what_it_said_before(self, bank: Bank, tmp_path: Path) -> None:
        with (bank.keys / "bo.pub").open("a") as file:
            file.write("retired-after: 2\n")
        bank.says(bank.anna).propose("fraud/2", bank.gate_report("fraud/2"))

        with pytest.raises(NotTrustedError, match="counts up to statement 2 only"):
            bank.says(bank.bo).approve("fraud/2")

        cai = a_person("cai", tmp_path / "cai", bank.keys)
        bank.says(cai).approve("fraud/2")
        assert standing(bank.models).champion_label == "fraud/2"

    def test_models_of_a_retired_key_serve_on_and_new_ones_do_not(self, bank: Bank) -> None:
        with (bank.keys / "pipeline.pub").open("a") as file:
            file.write("retired-after: 2\n")

        with pytest.raises(ModelRefusedError, match="counts up to statement 2 only"):
            bank.says(bank.anna).shadow("fraud/2")

    @pytest.mark.parametrize("first", ["shadow", "champion"])
    def test_a_model_that_was_named_before_its_key_retired_can_be_promoted(
        self, bank: Bank, first: str
    ) -> None:
        if first == "shadow":
            bank.says(bank.anna).shadow("fraud/2")
        else:
            bank.promote("fraud/2")
            bank.says(bank.anna).roll_back("fraud/1")
        with (bank.keys / "pipeline.pub").open("a") as file:
            file.write(f"retired-after: {standing(bank.models).number}\n")

        bank.promote("fraud/2")

        champion = standing(bank.models).champion
        assert champion is not None
        model = read_model_folder(bank.models / champion.label)
        # As every worker asks before it serves the model.
        assert check_signature(model, read_trusted(bank.keys), champion.number) == "pipeline"

    @pytest.mark.parametrize("content", [b"", b"ssh-ed25519 AAAA", b"\xff\xfe"])
    def test_a_file_that_is_no_key_is_trusted_for_nothing(self, bank: Bank, content: bytes) -> None:
        good = (bank.keys / "bo.pub").read_bytes()
        (bank.keys / "zoe.pub").write_bytes(content)
        assert standing(bank.models).champion_label == "fraud/1"

        (bank.keys / "bo.pub").write_bytes(content)
        with pytest.raises(RegistryRefusedError, match=r"bo\.pub cannot be used"):
            standing(bank.models)

        (bank.keys / "bo.pub").write_bytes(good + b"may-do-all\n")
        with pytest.raises(RegistryRefusedError, match="'may-do-all' is neither"):
            standing(bank.models)

    def test_the_time_of_a_statement_is_the_registrars(self, bank: Bank) -> None:
        later = Registrar(
            bank.models, read_trusted(bank.keys), bank.bo, NOW.replace(year=2027), "a try"
        )

        statement, _ = later.shadow("fraud/2")

        stored = history_of((bank.models / "registry.json").read_bytes())[-1]
        assert stored == statement
        assert (stored.time, stored.reason) == ("2027-11-25T08:30:00Z", "a try")
