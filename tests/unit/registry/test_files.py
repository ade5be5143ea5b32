"""Key files, signatures of models, and what a measured model costs."""

import json
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import ROOT
from tests.model_folders import Bank, a_bank, champion_folder, change_manifest
from tests.people import a_stranger

from fanzha.adapters.onnx_model import OnnxModel
from fanzha.domain.errors import ModelRefusedError, SetupError
from fanzha.features.manifest import FEATURE_NAMES
from fanzha.registry.latency import row_cost_us
from fanzha.registry.model_folder import check_signature, read_model_folder, sign_model
from fanzha.signing.keys import is_signed, load_signer, make_key, read_trusted


class TestKeyFiles:
    """Private keys are for their owner alone; OpenSSL reads and writes the same files."""

    def test_only_the_owner_may_read_the_private_key(self, tmp_path: Path) -> None:
        public = make_key("anna", tmp_path / "k" / "anna.key")

        assert stat.S_IMODE((tmp_path / "k" / "anna.key").stat().st_mode) == 0o600
        assert public == tmp_path / "k" / "anna.pub"
        assert b"PRIVATE" not in public.read_bytes()

    def test_a_key_that_others_may_read_is_not_used(self, tmp_path: Path) -> None:
        make_key("anna", tmp_path / "anna.key")
        (tmp_path / "anna.key").chmod(0o640)

        with pytest.raises(SetupError, match="chmod 600"):
            load_signer("anna", tmp_path / "anna.key")

    def test_a_key_is_never_overwritten(self, tmp_path: Path) -> None:
        make_key("anna", tmp_path / "anna.key")
        before = {file: file.read_bytes() for file in tmp_path.iterdir()}

        with pytest.raises(SetupError, match="exists already"):
            make_key("anna", tmp_path / "anna.key")

        assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before

    @pytest.mark.parametrize("name", ["", "../anna", "a b", ".anna", "x" * 65])
    def test_names_that_are_no_file_names_are_refused(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(SetupError, match="--name is"):
            make_key(name, tmp_path / "key")

    @pytest.mark.parametrize("content", [b"", b"secret", b"\xff"])
    def test_what_is_no_private_key_is_told(self, content: bytes, tmp_path: Path) -> None:
        file = tmp_path / "key"
        file.write_bytes(content)
        file.chmod(0o600)

        with pytest.raises(SetupError, match="is no private key"):
            load_signer("anna", file)

    def test_a_key_under_a_passphrase_opens_with_it_alone(self, tmp_path: Path) -> None:
        file, phrase = tmp_path / "anna.key", b"correct horse battery"
        make_key("anna", file, passphrase=phrase)

        signer = load_signer("anna", file, lambda: phrase)

        assert b"ENCRYPTED" in file.read_bytes()
        assert is_signed(signer.key, b"word", signer.sign(b"word"))
        with pytest.raises(SetupError, match="does not open the key"):
            load_signer("anna", file, lambda: b"another one altogether")
        with pytest.raises(SetupError, match="--key-passphrase-file"):
            load_signer("anna", file)

    def test_keys_of_openssl_do(self, tmp_path: Path) -> None:
        private, public = tmp_path / "o.key", tmp_path / "o.pub"
        for words in (
            ["genpkey", "-algorithm", "ed25519", "-out", private],
            ["pkey", "-in", private, "-pubout", "-out", public],
        ):
            subprocess.run(["openssl", *words], check=True, capture_output=True)
        private.chmod(0o600)

        signer = load_signer("o", private)

        assert [x.key for x in read_trusted(tmp_path).keys] == [signer.key]


class TestModelSignature:
    """A model's signature covers all its files, and counts by a trusted key alone."""

    @pytest.fixture
    def bank(self, tmp_path: Path) -> Bank:
        return a_bank(tmp_path)

    def signed_by(self, bank: Bank) -> str:
        return check_signature(
            read_model_folder(bank.models / "fraud" / "2"), read_trusted(bank.keys)
        )

    def test_counts(self, bank: Bank) -> None:
        assert self.signed_by(bank) == "pipeline"

    @pytest.mark.parametrize("name", ["model.onnx", "victim.ubj", "golden.npz"])
    def test_covers_every_file(self, bank: Bank, name: str) -> None:
        file = bank.models / "fraud" / "2" / name
        file.write_bytes(file.read_bytes() + b"\0")

        with pytest.raises(ModelRefusedError, match="SHA-256"):
            self.signed_by(bank)

    def test_covers_the_manifest(self, bank: Bank) -> None:
        change_manifest(bank.models / "fraud" / "2", None, metrics={"better": True})

        with pytest.raises(ModelRefusedError, match="is not over this manifest"):
            self.signed_by(bank)

    def test_of_another_model_does_not_do(self, bank: Bank) -> None:
        other = (bank.models / "fraud" / "1" / "signature.json").read_bytes()
        (bank.models / "fraud" / "2" / "signature.json").write_bytes(other)

        with pytest.raises(ModelRefusedError, match="is not over this manifest"):
            self.signed_by(bank)

    def test_by_a_stranger_does_not_count(self, bank: Bank, tmp_path: Path) -> None:
        sign_model(bank.models / "fraud" / "2", a_stranger("pipeline", tmp_path / "eve"))

        with pytest.raises(ModelRefusedError, match="does not count"):
            self.signed_by(bank)

    @pytest.mark.parametrize("content", ["", "[]", '{"by": "pipeline"}', "[" * 100_000])
    def test_that_is_none_is_told(self, bank: Bank, content: str) -> None:
        (bank.models / "fraud" / "2" / "signature.json").write_text(content)

        with pytest.raises(ModelRefusedError, match="is no signature"):
            self.signed_by(bank)

    def test_missing_is_told_with_a_remedy(self, bank: Bank) -> None:
        (bank.models / "fraud" / "2" / "signature.json").unlink()

        with pytest.raises(ModelRefusedError, match="fanzha models sign"):
            self.signed_by(bank)

    def test_a_manifest_cannot_name_files_elsewhere(self, bank: Bank) -> None:
        folder = bank.models / "fraud" / "2"
        stored = json.loads((folder / "manifest.json").read_text())
        stored["files_sha256"]["../1/model.onnx"] = stored["files_sha256"]["model.onnx"]
        (folder / "manifest.json").write_text(json.dumps(stored))

        with pytest.raises(ModelRefusedError, match=r"\.\./1/model\.onnx is not the file"):
            read_model_folder(folder)


class TestRowCost:
    """The median of the best round, in processor time."""

    def clock(self, costs_ns: list[int]) -> tuple[Callable[[], int], Callable[[object], None]]:
        now, waiting = [0], list(costs_ns)

        def run(_row: object) -> None:
            now[0] += waiting.pop(0) if waiting else costs_ns[-1]

        return (lambda: now[0]), run

    def test_is_the_best_of_rounds_and_blind_to_a_few_slow_rows(self) -> None:
        noisy = [9_000] * 5 + [50_000] * 10 + ([2_000] * 8 + [900_000] * 2) * 2
        thread_time_ns, run = self.clock(noisy)

        assert row_cost_us(run, list(range(10)), 1_000, thread_time_ns) == 2.0

    def test_does_not_wait_for_what_is_hopeless(self) -> None:
        ran: list[object] = []
        thread_time_ns, run = self.clock([20_000_000])

        def counted(row: object) -> None:
            ran.append(row)
            run(row)

        assert row_cost_us(counted, list(range(100)), 1_000, thread_time_ns) == 20_000.0
        assert len(ran) == 5

    def test_looks_at_a_hundred_rows_at_most(self) -> None:
        ran: set[object] = set()
        thread_time_ns, run = self.clock([2_000])

        def counted(row: object) -> None:
            ran.add(row)
            run(row)

        row_cost_us(counted, list(range(199)), 1_000, thread_time_ns)

        assert 50 <= len(ran) <= 100


def test_a_file_exchanged_after_its_check_is_not_the_one_that_is_loaded(tmp_path: Path) -> None:
    champion = champion_folder(ROOT / "models")
    folder = tmp_path / champion.parent.name / champion.name
    shutil.copytree(champion, folder)
    found = read_model_folder(folder)
    vectors = np.zeros((2, len(FEATURE_NAMES)), np.float32)
    before = OnnxModel(found).margins(vectors)

    for file in folder.iterdir():
        file.write_bytes(b"exchanged")

    assert (OnnxModel(found).margins(vectors) == before).all()
    with pytest.raises(ModelRefusedError):
        read_model_folder(folder)
