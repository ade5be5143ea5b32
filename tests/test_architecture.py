"""Who may import whom, and what a bank's pod gets: the serving wheel and nothing of training."""

import ast
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
PACKAGES = ("service/fanzha", "training/fanzha_training", "loadtest/fanzha_loadtest")

# Module or package of the service: what it may import beside the standard library.
MAY_IMPORT = {
    "domain": {"fanzha.domain"},
    "access": {
        "cryptography",
        "fanzha.access",
        "fanzha.checked_yaml",
        "fanzha.domain",
        "fanzha.file_shape",
        "fanzha.secrets",
        "pydantic",
    },
    "signing": {"cryptography", "fanzha.domain", "fanzha.secrets", "fanzha.signing"},
    "registry": {
        "fanzha.disk",
        "fanzha.domain",
        "fanzha.registry",
        "fanzha.signing",
        "msgspec",
    },
    "disk.py": set(),
    "log_output.py": set(),
    "core_list.py": set(),
    "features": {"fanzha.domain", "fanzha.features", "numba", "numpy"},
    "explain": {
        "fanzha.checked_yaml",
        "fanzha.domain",
        "fanzha.explain",
        "fanzha.features",
        "fanzha.file_shape",
        "numba",
        "numpy",
        "pydantic",
    },
    "archive/schema.py": {"pyarrow"},
    # What training reads the archive by knows no Redis.
    "archive/log.py": {
        "fanzha.archive.entries",
        "fanzha.archive.storage",
        "fanzha.domain",
        "msgspec",
        "pyarrow",
    },
    "archive/entries.py": {"msgspec"},
    "archive/storage.py": {"fanzha.disk", "boto3", "botocore", "fanzha.domain", "pyarrow"},
    "telemetry.py": set(),
    "file_shape.py": {"pydantic"},
}
# One violation for each contract; file under the root: line planted there.
PLANTED = {
    "service/fanzha/adapters/clock.py": "import fanzha.transport.guard",
    "service/fanzha/pipeline/score.py": "import redis",
    "service/fanzha/adapters/codec.py": "import fanzha.v1.transfer_pb2",
    "service/fanzha/mapping/times.py": "import fanzha.adapters.keys",
    "service/fanzha/adapters/spool.py": "import fanzha.settings",
    "service/fanzha/transport/guard.py": "import fanzha.checked_yaml",
    "service/fanzha/app.py": "import polars",
    "training/fanzha_training/metrics.py": "import fanzha.pipeline.decide",
    "service/fanzha/registry/statements.py": "import numpy",
    "loadtest/fanzha_loadtest/tally.py": "import fanzha.domain.ids",
}
FOR_TRAINING_ONLY = "jinja2 matplotlib onnx polars sklearn xgboost fanzha_training"
BLOCK_AND_IMPORT = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1:]:
            raise ModuleNotFoundError(f"{name} is not in the serving image", name=name)

sys.meta_path.insert(0, Blocker())
import fanzha.__main__, fanzha.app
print("imported")
"""


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    sources = os.pathsep.join(str((root / package).parent) for package in PACKAGES)
    return subprocess.run(
        [BIN / "lint-imports", "--no-cache", "--config", root / "pyproject.toml"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": sources},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_import_contracts_are_kept() -> None:
    done = lint_imports(ROOT)

    assert done.returncode == 0, done.stdout
    assert " 0 broken" in done.stdout


def test_each_contract_breaks_where_somebody_breaks_it(tmp_path: Path) -> None:
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name, line in PLANTED.items():
        with (tmp_path / name).open("a") as file:
            file.write(f"\n{line}\n")

    done = lint_imports(tmp_path)

    assert done.returncode == 1
    assert f"Contracts: 0 kept, {len(PLANTED)} broken." in done.stdout


@pytest.mark.parametrize("name", MAY_IMPORT)
def test_the_innermost_parts_rest_on_little(name: str) -> None:
    place = ROOT / "service" / "fanzha" / name
    files = [place] if place.is_file() else sorted(place.rglob("*.py"))

    foreign = {
        module
        for file in files
        for module in imported_by(file)
        if module.partition(".")[0] not in sys.stdlib_module_names
        and not any(f"{module}.".startswith(f"{allowed}.") for allowed in MAY_IMPORT[name])
    }

    assert foreign == set()


def imported_by(file: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            modules.add(node.module or "")
    return modules


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The serving wheel, built from a copy of what is needed for it."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns("__pycache__")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=ignored)
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "--disable-pip-version-check", "--wheel-dir", out, source],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_the_service_whole_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    package = ROOT / "service"
    ours = {
        str(file.relative_to(package))
        for file in (package / "fanzha").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert {name for name in names if ".dist-info/" not in name} == ours
    assert {Path(name).suffix for name in ours} == {".py", ".pyi", ".lua", ".yaml", ".typed"}


def test_the_wheel_brings_the_command_and_asks_for_no_training_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        texts = {
            Path(x).name: archive.read(x).decode() for x in archive.namelist() if "-info/" in x
        }

    required = set(re.findall(r"^Requires-Dist: ([\w.-]+)", texts["METADATA"], re.MULTILINE))
    assert texts["entry_points.txt"].split() == [
        "[console_scripts]", "fanzha", "=", "fanzha.__main__:main",
    ]  # fmt: skip
    assert not required & {*FOR_TRAINING_ONLY.split(), "scikit-learn", "xgboost-cpu"}
    assert {"grpcio", "redis", "onnxruntime"} <= required


def test_the_service_starts_without_training_packages() -> None:
    command = [sys.executable, "-c", BLOCK_AND_IMPORT, *FOR_TRAINING_ONLY.split()]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.stdout == "imported\n", done.stderr
