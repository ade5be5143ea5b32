"""The lists that officers import in the demo, as CSV files that `fanzha lists import` reads."""

import csv
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_COLUMNS: Final = (
    "kind",
    "identifier",
    "grade",
    "source",
    "case_number",
    "legal_basis",
    "valid_from",
    "valid_until",
)
# The People's Bank of China, 2016-09-30: involved accounts may do no business at all.
_INVOLVED_BASIS: Final = "银发〔2016〕261号"
# Beyond any day on which the demo may run: the command compares with the wall's clock, while the
# entries count by simulated time.
_VALID_UNTIL: Final = "2099-12-31T00:00:00+00:00"


def write_billers(file: Path, accounts: Iterable[str], from_ms: int) -> int:
    """Write verified billers of essential payments; return how many."""
    return _write(
        file,
        (
            ("verified_biller", account, "", "biller registry", "", "", from_ms)
            for account in accounts
        ),
    )


def write_involved(file: Path, known: Mapping[str, int], from_ms: int) -> int:
    """Write accounts that the police confirmed as involved in a case; return how many.

    Args:
        file: to write.
        known: accounts, and when they were confirmed, in ms since 1970 UTC.
        from_ms: when the import takes effect; never before the confirmation.

    """
    return _write(
        file,
        (
            (
                "account",
                account,
                "involved",
                "police",
                f"case-{number:05d}",
                _INVOLVED_BASIS,
                from_ms,
            )
            for number, account in enumerate(known)
        ),
    )


def _write(file: Path, entries: Iterable[tuple[str, str, str, str, str, str, int]]) -> int:
    count = 0
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(_COLUMNS)
        for *texts, from_ms in entries:
            writer.writerow([*texts, _iso(from_ms), _VALID_UNTIL])
            count += 1
    return count


def _iso(time_ms: int | str) -> str:
    return datetime.fromtimestamp(int(time_ms) / 1000, UTC).isoformat(timespec="seconds")
