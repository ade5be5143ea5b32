"""The bill of materials, and the audit of what is in it."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from tests import audit, sbom
from tests.lock import read_lock

ROOT = Path(__file__).parents[2]


class TestBill:
    def test_every_locked_package_is_in_it_with_its_hashes_and_licence(self) -> None:
        content = json.loads(sbom.bill())

        found = {each["name"]: each for each in content["components"]}
        pins = read_lock(ROOT / "requirements.lock")
        assert [pin.name for pin in pins] == sorted(found)
        for pin in pins:
            each = found[pin.name]
            assert each["version"] == pin.version
            assert each["licenses"], pin.name
            assert sorted(pin.sha256) == [entry["value"] for entry in each["properties"]]
        lines = (ROOT / "requirements.lock").read_text().splitlines()
        assert len(pins) == sum(re.match(r"\w", line) is not None for line in lines)

    def test_the_same_lock_gives_the_same_bytes_and_another_one_others(
        self, tmp_path: Path
    ) -> None:
        smaller = tmp_path / "smaller.lock"
        entries = (ROOT / "requirements.lock").read_text().split("\nboto3==")
        smaller.write_text(entries[0] + "\n")

        first, second, other = sbom.bill(), sbom.bill(), sbom.bill(smaller)

        assert first == second
        assert json.loads(first)["serialNumber"] != json.loads(other)["serialNumber"]

    def test_it_names_no_index(self) -> None:
        text = sbom.bill().decode()

        hosts = set(re.findall(r"https?://([^/\"]+)", text))
        assert hosts == {"cyclonedx.org"}

    def test_a_package_that_is_installed_otherwise_is_told(self, tmp_path: Path) -> None:
        lock = tmp_path / "x.lock"
        lock.write_text(f"rich==0.0.1 \\\n    --hash=sha256:{'0' * 64}\n")

        with pytest.raises(ValueError, match=r"rich is installed as .*, not 0\.0\.1"):
            sbom.bill(lock)

    def test_a_lock_without_a_version_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "x.lock").write_text("rich>=1\n")

        with pytest.raises(ValueError, match="pins no version"):
            read_lock(tmp_path / "x.lock")


def an_advisory(name: str, **affected: Any) -> dict[str, Any]:
    package = {"package": {"ecosystem": "PyPI", "name": name}}
    return {"id": "OSV-1", "affected": [package | affected]}


def events(*steps: tuple[str, str]) -> dict[str, Any]:
    return {"ranges": [{"type": "ECOSYSTEM", "events": [{kind: at} for kind, at in steps]}]}


class TestAudit:
    @pytest.fixture
    def lock(self, tmp_path: Path) -> Path:
        lock = tmp_path / "x.lock"
        lock.write_text(f"typing-extensions==4.16.0 \\\n    --hash=sha256:{'0' * 64}\n")
        return lock

    @pytest.mark.parametrize(
        ("advisory", "code"),
        [
            (an_advisory("typing_extensions", versions=["4.16.0"]), 1),
            (an_advisory("typing_extensions", versions=["4.15.0"]), 0),
            (an_advisory("other", versions=["4.16.0"]), 0),
            (an_advisory("Typing.Extensions", **events(("introduced", "0"))), 1),
            (an_advisory("typing-extensions", **events(("introduced", "4.17"))), 0),
            (an_advisory("typing-extensions", **events(("introduced", "0"), ("fixed", "4.16"))), 0),
            (an_advisory("typing-extensions", **events(("fixed", "4.17"), ("introduced", "0"))), 1),
            (
                an_advisory(
                    "typing-extensions", **events(("introduced", "0"), ("last_affected", "4.16"))
                ),
                1,
            ),
            (
                an_advisory(
                    "typing-extensions",
                    **events(("introduced", "0"), ("fixed", "4.2"), ("introduced", "4.10")),
                ),
                1,
            ),
            (an_advisory("typing-extensions", versions=["4.16.0"]) | {"withdrawn": "2026"}, 0),
        ],
    )
    def test_a_file_of_advisories_is_read_as_osv_means_it(
        self,
        advisory: dict[str, Any],
        code: int,
        lock: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        (tmp_path / "osv.json").write_text(json.dumps([advisory]))

        done = audit.main(["--lock", str(lock), "--offline", str(tmp_path / "osv.json")])

        told = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (done, len(told["weaknesses"])) == (code, code)
        assert told["asked"]

    @pytest.mark.parametrize("content", ["{}", "[]", "[", "[3]", '[{"id": "x"}]'])
    def test_a_file_of_no_sense_is_no_clean_bill(
        self, content: str, lock: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "osv.json").write_text(content)

        done = audit.main(["--lock", str(lock), "--offline", str(tmp_path / "osv.json")])

        assert done == audit.NOT_ASKED
        assert not json.loads(capsys.readouterr().out)["asked"]

    @pytest.mark.parametrize(
        ("says", "code", "found"),
        [
            (
                {"dependencies": [{"name": "typing_extensions", "version": "4.16.0", "vulns": []}]},
                0,
                0,
            ),
            (
                {
                    "dependencies": [
                        {"name": "typing-extensions", "version": "4.16.0", "vulns": [{"id": "P-1"}]}
                    ]
                },
                1,
                1,
            ),
        ],
    )
    def test_the_service_is_believed_by_what_it_says(
        self, says: object, code: int, found: int, lock: Path
    ) -> None:
        script = f"import sys; print({json.dumps(says)!r}); sys.exit({code})"

        weaknesses = audit.asked(lock, (sys.executable, "-c", script))

        assert len(weaknesses) == found

    @pytest.mark.parametrize(
        "script",
        [
            "import sys; sys.exit('no such host')",
            "print('{')",
            """print('{"dependencies": []}')""",
            """print('{"dependencies": [{"name": "typing-extensions", "skip_reason": "x"}]}')""",
        ],
    )
    def test_a_service_that_does_not_answer_was_not_asked(self, script: str, lock: Path) -> None:
        with pytest.raises(audit.NotAskedError):
            audit.asked(lock, (sys.executable, "-c", script))
