"""The tables of docs/reference say what the code says, and leave nothing out."""

from pathlib import Path

import pytest
from tests.reference import PAGES, TABLES, fresh, tables_of

DOCUMENTS = PAGES


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_the_tables_are_fresh(path: Path) -> None:
    text = path.read_text("utf-8")

    assert fresh(text) == text, f"{path.name} is behind the code: run 'make reference'"


def test_every_table_stands_in_one_document() -> None:
    found = [name for path in DOCUMENTS for name in tables_of(path.read_text("utf-8"))]

    assert sorted(found) == sorted(TABLES)
