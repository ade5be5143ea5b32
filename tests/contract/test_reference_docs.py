"""The tables of docs/reference say what the code says, and leave nothing out."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.reference import PAGES, TABLES, fresh, tables_of

from fanzha.commands.watchlist_csv import read_rows

DOCUMENTS = PAGES
WATCHLISTS = Path(__file__).parents[2] / "docs" / "reference" / "watchlists.md"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_the_tables_are_fresh(path: Path) -> None:
    text = path.read_text("utf-8")

    assert fresh(text) == text, f"{path.name} is behind the code: run 'make reference'"


def test_every_table_stands_in_one_document() -> None:
    found = [name for path in DOCUMENTS for name in tables_of(path.read_text("utf-8"))]

    assert sorted(found) == sorted(TABLES)


@pytest.mark.parametrize("change", [str, str.upper], ids=["as shown", "in capitals"])
def test_the_shown_watchlist_can_be_imported(tmp_path: Path, change: Callable[[str], str]) -> None:
    header, *rows = (
        WATCHLISTS.read_text("utf-8").partition("```csv\n")[2].partition("```")[0].splitlines()
    )
    file = tmp_path / "entries.csv"
    file.write_text("\n".join([header, *map(change, rows)]), "utf-8")

    read = list(read_rows(file, datetime(2026, 11, 22, tzinfo=UTC)))

    assert [row.faults for row in read] == [()] * 3
