"""The story of many transfers at once: what one after the other gives, in fewer round trips.

A batch is judged in waves: each reads for all its transfers in one round trip, scores them in one
call, and commits them in one round trip. What an account pays is seen by the transfers behind it
in the batch, so that none of these is in the same wave, or in one before.
"""

from collections.abc import Callable, Sequence
from typing import Final

from fanzha.domain.errors import InvalidFieldsError
from fanzha.domain.evidence import Evidence
from fanzha.domain.record import DecisionRecord
from fanzha.domain.transfer import Transfer, TransferDraft
from fanzha.pipeline.answer import Answer
from fanzha.pipeline.assess import Assessor
from fanzha.pipeline.budget import Budget
from fanzha.pipeline.gather import gather_all
from fanzha.pipeline.record_all import record_all
from fanzha.pipeline.score import score_all
from fanzha.pipeline.validate import validate
from fanzha.telemetry import Steps

WAVE_MAX: Final = 64
"""So many transfers a wave holds at most: all of them are judged within one answer's budget."""


def begin_all(
    assessor: Assessor, drafts: Sequence[TransferDraft], budget: Callable[[], Budget]
) -> list[Answer | Exception]:
    """Judge attempts in their order; see `Assessor.begin`.

    Args:
        assessor: everything that judging needs.
        drafts: the attempts.
        budget: gives each wave its budget; what it raises is the answer to all of the wave.

    Returns:
        For each attempt its answer, or what `Assessor.begin` raises.
    """
    answers: dict[int, Answer | Exception] = {}
    valid: dict[int, tuple[Transfer, int]] = {}
    for number, draft in enumerate(drafts):
        assessor.clock.observe(draft.transfer.create_time_ms)
        now_ms = assessor.clock.now_ms()
        try:
            valid[number] = validate(draft, assessor.rules, now_ms), now_ms
        except InvalidFieldsError as error:
            answers[number] = error
    numbers = list(valid)
    for wave in waves([transfer for transfer, _ in valid.values()]):
        those = [numbers[place] for place in wave]
        try:
            begun = _begin_wave(assessor, [valid[number] for number in those], budget())
        except Exception as error:  # noqa: BLE001 - of one wave; the others have answers
            begun = [error] * len(those)
        answers.update(zip(those, begun, strict=True))
    return [answers[number] for number in range(len(drafts))]


def waves(transfers: Sequence[Transfer]) -> list[list[int]]:
    """Return the places of transfers by the wave in which each is judged.

    A wave reads before it commits. So who reads an account that an earlier transfer pays from is in
    a later wave, and who pays from one that an earlier transfer reads is in none before that. What
    a transfer sends to other accounts (receipts, sightings) arrives later in any case.
    """
    found: list[list[int]] = []
    paid: dict[bytes, int] = {}
    read: dict[bytes, int] = {}
    for place, transfer in enumerate(transfers):
        payer = transfer.payer.account
        payee = transfer.payee.account if transfer.payee is not None else b""
        wave = max(paid.get(payer, -1) + 1, paid.get(payee, -1) + 1, read.get(payer, 0))
        while wave < len(found) and len(found[wave]) >= WAVE_MAX:
            wave += 1
        while wave >= len(found):
            found.append([])
        found[wave].append(place)
        paid[payer] = wave
        for account in (payer, payee) if payee else (payer,):
            read[account] = max(wave, read.get(account, 0))
    return found


def _begin_wave(
    assessor: Assessor, transfers: list[tuple[Transfer, int]], budget: Budget
) -> list[Answer | Exception]:
    models, steps = assessor.models.current(), Steps()
    gathered = gather_all(
        transfers, assessor.store, assessor.idempotency_window_ms, budget.read_by_s
    )
    steps.done("gather")
    answers: list[Answer | Exception | None] = []
    new: list[tuple[Transfer, Evidence, int]] = []
    for (transfer, now_ms), evidence in zip(transfers, gathered, strict=True):
        if isinstance(evidence, Exception):
            answers.append(evidence)
        elif evidence.stored is not None:
            answers.append(assessor.recorder.repeat(evidence.stored, budget.record_by_s))
        else:
            answers.append(None)
            new.append((transfer, evidence, now_ms))
    scored = score_all([(t, e) for t, e, _ in new], models.champion, assessor.zone)
    steps.done("score")
    entries: list[tuple[DecisionRecord, int]] = []
    judged: list[Answer | Exception | None] = []
    for (transfer, evidence, now_ms), (says, features) in zip(new, scored, strict=True):
        # What all waited for counts for each.
        own = Steps()
        own.us.update(steps.us)
        try:
            entry = assessor.judge(transfer, evidence, says, features, models, now_ms, own)
        except Exception as error:  # noqa: BLE001 - of this one; the others have answers
            judged.append(error)
        else:
            judged.append(None)
            entries.append((entry, now_ms))
    recorded = record_all(entries, assessor.recorder, budget.record_by_s)
    return _filled(answers, _filled(judged, recorded))


def _filled(
    answers: list[Answer | Exception | None], others: Sequence[Answer | Exception]
) -> list[Answer | Exception]:
    """Return answers with others, in their order, where there are none."""
    rest = iter(others)
    return [next(rest) if answer is None else answer for answer in answers]
