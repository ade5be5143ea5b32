import random
from pathlib import Path

import numpy as np
import pytest
from tests.recomputed import recompute_vectors
from tests.training.archives import PlayedService, Row, served_by_id, write_archive
from tests.training.streams import DAY_MS

from fanzha.archive.schema import KIND_DECISION_UPDATE, KIND_WITHDRAWAL
from fanzha.domain.errors import SetupError
from fanzha.domain.vocabulary import DecisionKind, OutcomeSource, OutcomeType
from fanzha.features.manifest import FEATURE_INDEX
from fanzha_training.building.from_archive import build_from_archive
from fanzha_training.building.options import BuildOptions
from fanzha_training.dataset import UNLABELLED, Dataset, load_dataset

CHANNEL, CUSTOMER = OutcomeSource.CHANNEL, OutcomeSource.CUSTOMER


def quiet(_stage: str) -> None:
    """Tell nobody."""


def played(seed: int = 1, steps: int = 1500) -> PlayedService:
    return PlayedService(random.Random(seed)).play(steps)


def built(
    folder: Path, rows: list[Row], options: BuildOptions | None = None
) -> tuple[Dataset, dict[str, object]]:
    archive = write_archive(folder / "archive", rows)
    out = folder / "dataset.parquet"
    summary = build_from_archive(archive, out, options or BuildOptions(command="build"), quiet)
    return load_dataset(out), summary


class TestParity:
    """Served parity by sequence: training cuts served history and gets the vector bit for bit."""

    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_recomputed_vectors_equal_the_served_ones(self, tmp_path: Path, seed: int) -> None:
        service = played(seed)

        ids, recomputed, served = recompute_vectors(write_archive(tmp_path, service.rows))

        expected = served_by_id(service.rows)
        assert sorted(ids) == sorted(expected)
        assert served.tobytes() == np.stack([expected[name] for name in ids]).tobytes()
        assert recomputed.tobytes() == served.tobytes()
        # The test means something only if much history was seen.
        for name in ("out_count_7d", "pair_times_paid", "payee_mule_reports", "payee_in_count_7d"):
            assert np.nanmax(served[:, FEATURE_INDEX[name]]) >= 2

    def test_a_changed_served_vector_refuses_the_build(self, tmp_path: Path) -> None:
        service = played()
        wrong = next(row for row in service.rows if row["kind"] == "decision")
        wrong["vector"] = wrong["vector"].copy()
        wrong["vector"][0] += 1

        with pytest.raises(SetupError, match=r"1 of \d+ served vector"):
            built(tmp_path, service.rows)

        assert [path.name for path in tmp_path.iterdir()] == ["archive"]

    def test_differences_can_be_allowed_and_are_counted(self, tmp_path: Path) -> None:
        service = played()
        wrong = next(row for row in service.rows if row["kind"] == "decision")
        wrong["vector"] = wrong["vector"].copy()
        wrong["vector"][0] += 1

        dataset, summary = built(
            tmp_path, service.rows, BuildOptions(command="build", allow_differences=True)
        )

        assert summary["vector_differences"] == 1
        served = served_by_id(service.rows)
        assert {row.tobytes() for row in dataset.vectors} == {x.tobytes() for x in served.values()}

    def test_records_archived_twice_and_updates_change_nothing(self, tmp_path: Path) -> None:
        service = played()
        update = {name: service.decided[0][name] for name in ("decision_id", "request_id")}
        newer = {
            **service.rows[0], **update,
            "record_id": "u", "kind": KIND_DECISION_UPDATE, "seq": None, "change": None,
        }  # fmt: skip
        once, _ = built(tmp_path / "once", service.rows)

        twice, summary = built(tmp_path / "twice", [*service.rows, *service.rows[:50], newer])

        assert twice.fingerprint() == once.fingerprint()
        assert summary["records_duplicated"] == 50

    def test_what_was_served_is_kept(self, tmp_path: Path) -> None:
        service = played()

        dataset, summary = built(tmp_path, service.rows)

        assert summary["rows"] == len(service.decided) == len(dataset)
        assert summary["vector_differences"] == 0
        assert dataset.meta.source == "archive"
        assert sorted(dataset.amount_minor) == sorted(
            row["base_amount_minor"] for row in service.decided
        )


class TestGaps:
    """Rows that are missing are noticed, and nothing is built on what they leave in doubt."""

    def test_decisions_after_a_missing_row_are_left_out_and_counted(self, tmp_path: Path) -> None:
        service = played()
        hole = next(row for row in service.rows if row["kind"] == "change" and row["seq"] == 8)
        rows = [row for row in service.rows if row is not hole]
        doubtful = {
            row["decision_id"]
            for row in service.decided
            if (row["payer"] == hole["account"] and row["payer_seq"] >= 8)
            or (row["payee"] == hole["account"] and row["payee_seq"] >= 8)
            or any(
                token == hole["account"] and seq >= 8
                for token, seq in zip(row["links"], row["link_seqs"], strict=True)
            )
        }

        archive = write_archive(tmp_path / "archive", rows)
        ids, recomputed, served = recompute_vectors(archive)
        _, summary = built(tmp_path / "built", rows)

        assert len(doubtful) > 5
        assert set(ids) == {row["decision_id"] for row in service.decided} - doubtful
        assert recomputed.tobytes() == served.tobytes()
        assert summary["decisions_after_gap"] == len(doubtful)
        assert summary["subjects_with_gaps"] == 1

    def test_a_sequence_given_twice_is_a_gap(self, tmp_path: Path) -> None:
        service = played()
        row = next(row for row in service.rows if row["kind"] == "change" and row["seq"] == 8)
        columns = list(row["change_columns"])
        columns[2] += 1
        other = row | {"record_id": "x", "change_columns": columns}

        _, summary = built(tmp_path, [*service.rows, other])

        assert summary["subjects_with_gaps"] == 1
        assert isinstance(summary["decisions_after_gap"], int)
        assert summary["decisions_after_gap"] > 5

    def test_a_change_repeated_under_another_record_id_is_no_gap(self, tmp_path: Path) -> None:
        service = played()
        row = next(row for row in service.rows if row["kind"] == "change")

        _, summary = built(tmp_path, [*service.rows, row | {"record_id": "x"}])

        assert "decisions_after_gap" not in summary


class TestLabels:
    """A fraud outcome is 1; legitimate is 0; else 0 only when mature; held back stays unknown."""

    def test_follow_from_outcomes_and_age(self, tmp_path: Path) -> None:
        service = PlayedService(random.Random(5)).play(300)
        decided = service.decided
        silent = [row for row in service.rows if row["kind"] not in ("outcome", "execution")]
        silent = [row for row in silent if row.get("change") not in (3, 4, 5)]
        newest = max(row["create_time_ms"] for row in decided)
        as_of_ms = newest + DAY_MS
        paid = [row for row in decided if row["decision"] <= DecisionKind.CONFIRM]
        young = [row for row in paid if row["create_time_ms"] > as_of_ms - 7 * DAY_MS]
        old = [row for row in paid if row["create_time_ms"] <= as_of_ms - 7 * DAY_MS]
        reported = [
            outcome_of(old[0], OutcomeType.CONFIRMED_FRAUD, as_of_ms, "a"),
            outcome_of(old[1], OutcomeType.CONFIRMED_FRAUD, as_of_ms + 1, "b"),
            outcome_of(young[0], OutcomeType.CONFIRMED_LEGITIMATE, as_of_ms, "c"),
            outcome_of(old[2], OutcomeType.STOPPED_BY_TELLER, as_of_ms, "d"),
            outcome_of(old[3], OutcomeType.CUSTOMER_INSISTED, as_of_ms, "e", CHANNEL),
            outcome_of(old[4], OutcomeType.CONFIRMED_FRAUD, as_of_ms - 2, "f"),
            withdrawal_of(old[4], "f", as_of_ms),
            outcome_of(old[5], OutcomeType.CONFIRMED_FRAUD, as_of_ms - 2, "g", CUSTOMER),
            withdrawal_of(old[5], "g", as_of_ms + 1),
        ]
        gapless = renumbered(silent)

        options = BuildOptions(command="", as_of_ms=as_of_ms, allow_differences=True)
        dataset, summary = built(tmp_path, [*gapless, *reported], options)

        label = dict(zip(dataset.time_ms.tolist(), dataset.label.tolist(), strict=True))
        assert label[old[0]["create_time_ms"]] == 1
        assert label[old[1]["create_time_ms"]] == 0
        assert label[young[0]["create_time_ms"]] == 0
        assert label[young[1]["create_time_ms"]] == UNLABELLED
        assert label[old[2]["create_time_ms"]] == UNLABELLED
        assert label[old[3]["create_time_ms"]] == 0
        held = [row for row in decided if row["decision"] > DecisionKind.CONFIRM]
        assert all(label[row["create_time_ms"]] == UNLABELLED for row in held)
        assert label[old[4]["create_time_ms"]] == 0
        assert label[old[5]["create_time_ms"]] == 1
        assert summary["fraud"] == 2
        assert summary["outcomes_withdrawn"] == 1
        assert summary["weakly_labelled"] == 1
        by_payee = {
            (time, number): mule
            for time, number, mule in zip(
                dataset.time_ms.tolist(), dataset.payee.tolist(), dataset.payee_mule.tolist(),
                strict=True,
            )
        }  # fmt: skip
        mule = next(n for t, n in by_payee if t == old[0]["create_time_ms"])
        named = {m for (t, n), m in by_payee.items() if n == mule}
        assert (mule == 0 and named == {UNLABELLED}) or named == {1}


def outcome_of(
    row: Row,
    kind: OutcomeType,
    report_time_ms: int,
    record_id: str,
    source: OutcomeSource = OutcomeSource.POLICE,
) -> Row:
    return {
        "record_id": record_id,
        "kind": "outcome",
        "bucket": 0,
        "record_time_ms": report_time_ms,
        "account": row["payer"],
        "decision_id": row["decision_id"],
        "outcome_id": record_id,
        "outcome_source": source,
        "outcome_type": kind,
        "report_time_ms": report_time_ms,
    }


def withdrawal_of(row: Row, outcome_id: str, report_time_ms: int) -> Row:
    return {
        "record_id": f"w{outcome_id}",
        "kind": KIND_WITHDRAWAL,
        "bucket": 0,
        "record_time_ms": report_time_ms,
        "account": row["payer"],
        "decision_id": row["decision_id"],
        "outcome_id": outcome_id,
        "outcome_source": OutcomeSource.POLICE,
        "report_time_ms": report_time_ms,
    }


def renumbered(rows: list[Row]) -> list[Row]:
    """Rows whose accounts count 1, 2, 3 again; decisions read the newest state."""
    seqs: dict[bytes, int] = {}
    again = []
    for row in rows:
        before = dict(seqs)
        seqs[row["account"]] = seqs.get(row["account"], 0) + 1
        more = {"seq": seqs[row["account"]]}
        if row["kind"] == "decision":
            more["payer_seq"] = before.get(row["account"], 0)
            more["payee_seq"] = before.get(row["payee"], 0) if row["payee"] else -1
        again.append(row | more)
    return again


class TestFaults:
    """Damaged archives are refused with cause and remedy."""

    def test_a_folder_without_days_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(SetupError, match="holds no day="):
            recompute_vectors(tmp_path)

    def test_an_archive_without_decisions_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(SetupError, match=r"holds 0 decision"):
            built(tmp_path, [])

    def test_a_truncated_file_is_named(self, tmp_path: Path) -> None:
        archive = write_archive(tmp_path, played().rows)
        file = archive / "day=2026-06-02" / "part-1.parquet"
        file.write_bytes(file.read_bytes()[:-200])

        with pytest.raises(SetupError, match=r"part-1\.parquet cannot be read"):
            recompute_vectors(archive)

    def test_vectors_of_other_features_are_left_out(self, tmp_path: Path) -> None:
        service = played()
        for row in service.decided[:3]:
            stored = next(x for x in service.rows if x.get("decision_id") == row["decision_id"])
            stored["vector"] = stored["vector"][:-1]

        _, summary = built(tmp_path, service.rows)

        assert summary["decisions_unusable"] == 3

    def test_an_archive_of_other_features_alone_is_refused(self, tmp_path: Path) -> None:
        service = played()
        for row in service.rows:
            if row["kind"] == "decision":
                row["vector"] = row["vector"][:-1]

        with pytest.raises(SetupError, match=r"none with \d+ features"):
            built(tmp_path, service.rows)
