"""The registry of models: which one decides, since when, and who wanted it.

`<models>/registry.json` is replaced in one step; the service polls it. A promotion takes two people
and a gate report of exactly the files that lie in the candidate's folder.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fanzha.domain.errors import SetupError
from fanzha_training.atomic import replaced_file
from fanzha_training.published import GRAPH_FILE, read_manifest
from fanzha_training.trained import json_text

REGISTRY_FILE: Final = "registry.json"


def champion_of(models: Path) -> str | None:
    """Return `name/version` of the model that decides, None when none was promoted yet.

    Raises:
        SetupError: the registry is damaged.

    """
    champion = _read(models).get("champion")
    return str(champion) if champion else None


def promote(
    models: Path,
    candidate: str,
    *,
    proposed_by: str,
    approved_by: str,
    gate_report: Path,
    now: datetime,
) -> dict[str, Any]:
    """Make a candidate the champion and return the entry that was added to the history.

    Args:
        models: folder of all exported models.
        candidate: `name/version`.
        proposed_by: who wants it.
        approved_by: who agrees: another person.
        gate_report: file that `fanzha-training gate --report` wrote.
        now: the time of the promotion.

    Raises:
        SetupError: a person is missing or is the same, the gate was not passed by this candidate's
            files, the candidate is damaged or is the champion already, or the registry is damaged.

    """
    _check_people(proposed_by, approved_by)
    if ".." in candidate.split("/") or candidate.count("/") != 1:
        raise SetupError(f"--candidate is {candidate!r}; write name/version")
    manifest = read_manifest(models / candidate)
    if manifest.label != candidate:
        raise SetupError(
            f"{models / candidate} holds the model {manifest.label}; move it to its own place"
        )
    report = _passed_report(gate_report, candidate, manifest.files_sha256[GRAPH_FILE])
    with _locked(models):
        registry = _read(models)
        before = registry.get("champion")
        if before == candidate:
            raise SetupError(f"{candidate} is the champion already; there is nothing to do")
        if report["champion"] != before:
            raise SetupError(
                f"the gate compared {candidate} with {report['champion']}, but the champion is "
                f"{before}; run fanzha-training gate again"
            )
        entry = {
            "version": candidate,
            "time": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "proposed_by": proposed_by.strip(),
            "approved_by": approved_by.strip(),
            "gate": report,
        }
        changed = {"champion": candidate, "history": [*registry.get("history", []), entry]}
        with replaced_file(models / REGISTRY_FILE) as draft:
            draft.write_text(json_text(changed), encoding="utf-8")
    return entry


def _check_people(proposed_by: str, approved_by: str) -> None:
    people = proposed_by.strip(), approved_by.strip()
    if not all(people):
        raise SetupError("--proposed-by and --approved-by must each name a person")
    if people[0].casefold() == people[1].casefold():
        raise SetupError(
            f"{people[0]} cannot both propose and approve; have a second person approve"
        )


def _passed_report(file: Path, candidate: str, graph_sha256: str) -> dict[str, Any]:
    remedy = "run fanzha-training gate with --report for this candidate"
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
        named, passed = report["candidate"], report["passed"]
        graph, champion = report["graph_sha256"], report["champion"]
        checks = report["checks"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SetupError(f"{file} is no gate report: {error!r}; {remedy}") from error
    if named != candidate or graph != graph_sha256:
        raise SetupError(
            f"{file} is the gate report of {named} with other files, not of {candidate}; {remedy}"
        )
    if passed is not True:
        failed = ", ".join(check["name"] for check in checks if not check["passed"])
        raise SetupError(
            f"{candidate} did not pass the gate ({failed}); train a better one, the champion stays"
        )
    return {
        "passed": True,
        "champion": champion,
        "checks": checks,
        "graph_sha256": graph,
        "data_fingerprint": report.get("data_fingerprint"),
    }


def _read(models: Path) -> dict[str, Any]:
    file = models / REGISTRY_FILE
    if not file.exists():
        return {}
    try:
        registry = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SetupError(f"{file} is damaged: {error}; restore it from version control") from error
    if not isinstance(registry, dict) or not isinstance(registry.get("history", []), list):
        raise SetupError(f"{file} is no registry; restore it from version control")
    return registry


@contextmanager
def _locked(models: Path) -> Iterator[None]:
    """Keep other promotions out: reading and replacing the registry must be one step."""
    descriptor = os.open(models, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
