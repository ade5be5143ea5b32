"""`make sbom`: the bill of materials of the serving wheel, CycloneDX 1.6, from its lock.

The same lock gives the same bytes: there is no time in it, and its serial number follows from its
content. Licences are those that the installed packages state. No address of an index is in it.
"""

import json
import sys
import tomllib
import uuid
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from tests.lock import Pin, read_lock

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
OUT = ROOT / "build" / "sbom.json"
_NAMESPACE = uuid.UUID("5b0e9d43-7f65-5a0e-9d0c-2f3d4f6f7c11")


def purl(name: str, version: str) -> str:
    """Return the name by which bills of materials speak of a Python package."""
    return f"pkg:pypi/{name}@{version}"


def licences(stated: PackageMetadata) -> list[dict[str, Any]]:
    """Return what a package states about its licence, as CycloneDX writes it."""
    if expression := stated.get("License-Expression"):
        return [{"expression": expression}]
    classifiers = [
        line.rpartition("::")[2].strip()
        for line in stated.get_all("Classifier") or []
        if line.startswith("License ::")
    ]
    named = (stated.get("License") or "").strip()
    # Some packages write the whole text there.
    names = classifiers or ([named] if named and "\n" not in named else [])
    return [{"license": {"name": name}} for name in names]


def component(pin: Pin) -> dict[str, Any]:
    """Return one locked package.

    Raises:
        ValueError: it is not installed as it is locked, so that its licence is not known.
    """
    try:
        stated = metadata(pin.name)
    except PackageNotFoundError as error:
        raise ValueError(f"{pin.name} is not installed; run make setup") from error
    if stated["Version"] != pin.version:
        raise ValueError(
            f"{pin.name} is installed as {stated['Version']}, not {pin.version}; run make setup"
        )
    found = licences(stated)
    return {
        "type": "library",
        "bom-ref": purl(pin.name, pin.version),
        "name": pin.name,
        "version": pin.version,
        "purl": purl(pin.name, pin.version),
        **({"licenses": found} if found else {}),
        # One for each file that may be installed: a platform takes one of them.
        "properties": [
            {"name": "fanzha:lock:sha256", "value": digest} for digest in sorted(pin.sha256)
        ],
    }


def bill(lock: Path = LOCK) -> bytes:
    """Return the bill of materials of a lock.

    Raises:
        ValueError: a package is not installed as locked, or the bill breaks CycloneDX's schema.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    own = purl(project["name"], project["version"])
    components = [component(pin) for pin in read_lock(lock)]
    content: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": project["name"],
                "version": project["version"],
                "description": project["description"],
                "licenses": [{"expression": project["license"]}],
                "purl": own,
            }
        },
        "components": components,
        "dependencies": [{"ref": own, "dependsOn": [each["bom-ref"] for each in components]}],
    }
    text = json.dumps(content, ensure_ascii=False, sort_keys=True)
    content["serialNumber"] = uuid.uuid5(_NAMESPACE, text).urn
    text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    if fault := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(f"the bill of materials breaks its schema: {str(fault)[:300]}")
    return text.encode()


def main() -> None:
    """Write the bill, and say what is in it."""
    try:
        content = bill()
    except ValueError as error:
        sys.exit(f"sbom: {error}")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_bytes(content)
    components = json.loads(content)["components"]
    unknown = [each["name"] for each in components if "licenses" not in each]
    told = {
        "file": str(OUT.relative_to(ROOT)),
        "components": len(components),
        "no_licence": unknown,
    }
    print(json.dumps(told))  # noqa: T201 - its output is its purpose


if __name__ == "__main__":
    main()
