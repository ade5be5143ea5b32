"""Many transfers at once get what each gets alone, to the last bit."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Thread
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from tests.bench.one_row import a_row
from tests.decision_inputs import a_transfer
from tests.model_folders import champion_folder

from fanzha.adapters.onnx_model import OnnxModel
from fanzha.domain.decision import Score
from fanzha.domain.evidence import AccountState, Evidence
from fanzha.features.facts import packed_facts
from fanzha.features.kernel import feature_vector, packed_case, vectors_of
from fanzha.features.manifest import FEATURE_NAMES
from fanzha.pipeline.score import score, score_all, utc_offset_s
from fanzha.registry.model_folder import read_model_folder

MODELS = Path(__file__).parents[3] / "models"
CHINA = timezone(timedelta(hours=8))
ROWS = [a_row(np.random.default_rng(number)) for number in range(40)]


@pytest.fixture(scope="module")
def model() -> OnnxModel:
    return OnnxModel(read_model_folder(champion_folder(MODELS)))


def an_evidence(number: int) -> Evidence:
    """Return histories of any length; some could not be read."""
    _, payer, payee, links = ROWS[number]
    return Evidence(
        payer=None if number % 7 == 3 else payer,
        payee=None if number % 5 == 2 else payee,
        list_hits=None if number % 11 == 4 else (),
        lists_version="lists-1",
        links=links,
    )


def test_all_are_scored_as_one_by_one(model: OnnxModel) -> None:
    cases = [
        (a_transfer(amount_minor=1000 + number, has_payee=number % 3 > 0), an_evidence(number))
        for number in range(len(ROWS))
    ]

    found = score_all(cases, model, CHINA)

    for (scored, features), case in zip(found, cases, strict=True):
        alone, its_features = score(*case, model, CHINA)
        assert scored == alone
        assert features.tobytes() == its_features.tobytes() == scored.vector
    assert score_all([], model, CHINA) == []
    assert all(scored.score is None for scored, _ in score_all(cases, None, CHINA))


def test_threads_do_not_write_into_each_others_rows(model: OnnxModel) -> None:
    vectors = [feature_vector(*row) for row in ROWS]
    expected = model.scores(np.stack(vectors))
    found: dict[int, list[Score]] = {}

    def ask(number: int) -> None:
        found[number] = [model.score(vector) for _ in range(20) for vector in vectors]

    threads = [Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(found[number] == expected * 20 for number in range(4))


def test_a_vector_of_another_length_is_no_vector(model: OnnxModel) -> None:
    with pytest.raises(ValueError, match="broadcast"):
        model.score(np.zeros(len(FEATURE_NAMES) + 1, np.float32))


@pytest.mark.parametrize("ring", [bytes(39), bytes(48)])
def test_a_history_that_is_no_whole_number_of_records_is_refused(ring: bytes) -> None:
    facts = packed_facts(a_transfer(), (), 28_800)

    with pytest.raises((ValueError, NotImplementedError)):
        vectors_of([packed_case(facts, AccountState(out_ring=ring), None)])


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Europe/Berlin", "Africa/Monrovia"])
def test_the_offset_is_exact_around_every_change_of_it(zone: str) -> None:
    """Monrovia's last change was half a minute past a minute."""
    bank = ZoneInfo(zone)
    changes = [63_593_070, 1_711_846_800, 1_729_990_800]
    for second in (change + near for change in changes for near in (-901, -900, -1, 0, 1, 900)):
        expected = datetime.fromtimestamp(second, UTC).astimezone(bank).utcoffset()
        assert expected is not None
        assert utc_offset_s(second * 1000, bank) == int(expected.total_seconds())
        assert utc_offset_s(second * 1000 + 999, bank) == int(expected.total_seconds())
