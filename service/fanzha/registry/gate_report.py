"""The report of `fanzha-training gate`, as far as a proposal rests on it."""

import hashlib
import json
from pathlib import Path

from fanzha.domain.errors import SetupError
from fanzha.registry.model_folder import ModelFolder
from fanzha.registry.statements import GateResult


def passed_report(file: Path, model: ModelFolder) -> GateResult:
    """Read the report of a gate that exactly these files passed.

    Raises:
        SetupError: it is no such report.
    """
    remedy = "run fanzha-training gate with --report for this candidate"
    try:
        content = file.read_bytes()
        report = json.loads(content)
        named, manifest = report["candidate"], report["manifest_sha256"]
        passed, checks = report["passed"], list(report["checks"])
        failed = [str(check["name"]) for check in checks if check["passed"] is not True]
        result = GateResult(
            report_sha256=hashlib.sha256(content).hexdigest(),
            champion=report["champion"] or "",
            champion_manifest_sha256=report["champion_manifest_sha256"] or "",
            checks=checks,
            margins=dict(report["margins"]),
            data_fingerprint=str(report["data_fingerprint"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SetupError(f"{file} is no gate report: {error!r}; {remedy}") from error
    if named != model.label or manifest != model.manifest_sha256:
        raise SetupError(
            f"{file} is the gate report of {named} with other files, not of {model.label}; {remedy}"
        )
    if passed is not True or failed or not checks:
        raise SetupError(
            f"{model.label} did not pass the gate ({', '.join(failed) or 'no checks'}); train a "
            "better one, the champion stays"
        )
    return result
