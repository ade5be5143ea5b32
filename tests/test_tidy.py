"""Taste as a test: sizes, names, and documents that speak of real things."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 300
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc", "impl"}
SOURCES = sorted(
    path
    for root in ("service/fanzha", "training/fanzha_training", "loadtest/fanzha_loadtest")
    for path in (ROOT / root).rglob("*.py")
    if "/v1/" not in str(path)
)
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_files_and_functions_fit_the_eye(path: Path) -> None:
    text = path.read_text()
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.end_lineno is not None
        and _code_lines(node) > FUNCTION_LINES_MAX
        # Kernels are loops over columns; cutting them would hide the order of the work.
        and "compiled" not in ast.unparse(ast.Module(node.decorator_list, []))
    ]

    assert not long
    assert len(text.splitlines()) <= FILE_LINES_MAX
    assert path.stem not in BANNED_NAMES


def _code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function, its docstring aside."""
    first = node.body[0]
    docstring = 0
    if ast.get_docstring(node) is not None and first.end_lineno is not None:
        docstring = first.end_lineno - first.lineno + 1
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1 - docstring


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_modules_say_what_they_are_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_no_work_is_left_as_a_note() -> None:
    notes = [
        name_of(path) for path in SOURCES if re.search(r"\b(TODO|FIXME|XXX)\b", path.read_text())
    ]

    assert notes == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_documents_name_files_and_targets_that_exist(path: Path) -> None:
    text = path.read_text()
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    named_targets = set(re.findall(r"`make ([a-z][a-z-]*)", text))
    named_files = set(
        re.findall(r"`((?:service|training|loadtest|proto|models|tests|docs)/[\w./-]+)`", text)
    )
    links = {
        target.split("#")[0]
        for target in re.findall(r"\]\(([^)]+)\)", text)
        if "://" not in target and not target.startswith("#")
    }

    assert named_targets <= targets
    assert [name for name in sorted(named_files) if not (ROOT / name).exists()] == []
    assert [link for link in sorted(links) if not (path.parent / link).exists()] == []


def test_tracked_files_name_no_package_index_and_no_machine() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout.split(b"\0")
    forbidden = re.compile(rb"--(extra-)?index-url|file:/{3}|pypi\." + rb"org|/wo" + rb"rk/")
    found = [
        name.decode()
        for name in tracked
        if name
        and (ROOT / name.decode()).is_file()
        and forbidden.search((ROOT / name.decode()).read_bytes())
    ]

    assert found == []
