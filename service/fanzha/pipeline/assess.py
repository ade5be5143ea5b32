"""The story of transfers: validate, gather, score, decide, record.

Those that come at the same time go through each step together: one round trip to Redis, one run of
the model, one line of code after the other for all of them. Each is judged for itself, as if it had
come alone; what fails for one fails for that one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo

import numpy as np
import numpy.typing as npt

from fanzha.domain.decision import Decision, Score
from fanzha.domain.evidence import Evidence
from fanzha.domain.ids import bucket_of, new_decision_id
from fanzha.domain.scored import Scored
from fanzha.domain.transfer import Transfer, TransferDraft
from fanzha.domain.vocabulary import DegradedPart
from fanzha.pipeline.answer import Answer
from fanzha.pipeline.budget import Budget
from fanzha.pipeline.decide import Decided, decide
from fanzha.pipeline.explain import explainer
from fanzha.pipeline.gather import evidence_of, missing_parts
from fanzha.pipeline.ports import Clock, Findings, Models, Randomness, ServedModels, Store
from fanzha.pipeline.record import Recorder, Recording, to_record
from fanzha.pipeline.score import score_all
from fanzha.pipeline.shadow import Shadows
from fanzha.pipeline.validate import Rules, validate
from fanzha.policy.policy import Policy
from fanzha.policy.prompts import PromptCatalogue
from fanzha.telemetry import Steps


class Attempt:
    """One attempt on its way: each step adds what it found."""

    __slots__ = (
        "answer", "budget", "decided", "draft", "error", "evidence", "features", "recording",
        "scored", "transfer",
    )  # fmt: skip

    transfer: Transfer
    evidence: Evidence
    scored: Scored
    features: npt.NDArray[np.float32]
    decided: Decided
    recording: Recording

    def __init__(self, draft: TransferDraft, budget: Budget) -> None:
        self.draft = draft
        self.budget = budget
        self.answer: Answer | None = None
        """What it gets, once that is known."""
        self.error: Exception | None = None
        """Why it gets none."""


@dataclass(frozen=True, slots=True)
class Assessor:
    """Everything that judging a transfer needs; built once by `app`."""

    clock: Clock
    randomness: Randomness
    store: Store
    models: Models
    policy: Policy
    prompts: PromptCatalogue
    recorder: Recorder
    shadows: Shadows
    rules: Rules
    zone: tzinfo
    idempotency_window_ms: int
    service_version: str

    def assess(self, draft: TransferDraft, budget: Budget) -> Decision:
        """Return the decision about one attempt, on record.

        Raises:
            InvalidFieldsError, RequestIdReusedError, NotRecordedError.
        """
        (attempt,) = self.begin_all([Attempt(draft, budget)])
        if attempt.error is not None:
            raise attempt.error
        assert attempt.answer is not None  # noqa: S101 - it has one of both
        return attempt.answer.finish()

    def begin_all(self, attempts: Sequence[Attempt]) -> Sequence[Attempt]:
        """Judge attempts that came at the same time; return them, each with an answer or an error.

        An answer gives the decision once it is on record, so that nobody has to wait for the disk
        on a thread. Errors are those of `assess`; an answer may raise them as well.
        """
        steps = Steps()
        for attempt in attempts:
            self.clock.observe(attempt.draft.transfer.create_time_ms)
        now_ms, models = self.clock.now_ms(), self.models.current()
        for attempt in attempts:
            self._try(attempt, self._validate, now_ms)
        steps.done("validate")
        self._gather(_left(attempts), now_ms)
        steps.done("gather")
        left = _left(attempts)
        self._score(left, models)
        steps.done("score")
        for attempt in left:
            self._try(attempt, self._decide, models, now_ms)
        steps.done("decide")
        left = _left(left)
        # Only now: what a shadow says, or that it fails, can no longer reach the decision.
        shadows = [self.shadows.score(models.shadow, one.features) for one in left]
        steps.done("shadow")
        for attempt, shadow in zip(left, shadows, strict=True):
            self._try(attempt, self._write_down, shadow, steps.us, now_ms)
        self._record(_left(left))
        return attempts

    def _validate(self, attempt: Attempt, now_ms: int) -> None:
        attempt.transfer = validate(attempt.draft, self.rules, now_ms)

    def _gather(self, attempts: list[Attempt], now_ms: int) -> None:
        """Read what is known of all transfers, in one round trip."""
        if not attempts:
            return
        read_by_s = max(one.budget.read_by_s for one in attempts)
        found = self.store.find_all([one.transfer for one in attempts], read_by_s)
        for attempt, findings in zip(attempts, found, strict=True):
            self._try(attempt, self._take_in, findings, now_ms)

    def _take_in(self, attempt: Attempt, findings: Findings, now_ms: int) -> None:
        evidence = evidence_of(attempt.transfer, findings, now_ms, self.idempotency_window_ms)
        attempt.evidence = evidence
        if evidence.stored is not None:
            attempt.answer = self.recorder.repeat(evidence.stored, attempt.budget.record_by_s)

    def _score(self, attempts: list[Attempt], models: ServedModels) -> None:
        """Make all vectors, and have the champion score them in one run."""
        cases = [(one.transfer, one.evidence) for one in attempts]
        for attempt, scored in zip(
            attempts, score_all(cases, models.champion, self.zone), strict=True
        ):
            attempt.scored, attempt.features = scored

    def _decide(self, attempt: Attempt, models: ServedModels, now_ms: int) -> None:
        transfer, evidence, scored = attempt.transfer, attempt.evidence, attempt.scored
        missing = missing_parts(transfer, evidence)
        if not scored.score:
            missing = (*missing, DegradedPart.MODEL)
        if not self.recorder.has_both_places(transfer.payer.account):
            missing = (*missing, DegradedPart.JOURNAL)
        attempt.decided = decide(
            transfer,
            evidence,
            scored,
            attempt.features,
            self.policy,
            self.prompts,
            explainer(models.champion, attempt.features),
            decision_id=new_decision_id(
                now_ms, bucket_of(transfer.payer.account), self.randomness(9)
            ),
            now_ms=now_ms,
            degraded=missing,
            service_version=self.service_version,
        )

    def _write_down(
        self, attempt: Attempt, shadow: Score | None, step_us: dict[str, int], now_ms: int
    ) -> None:
        decided = attempt.decided
        entry = to_record(
            attempt.transfer,
            attempt.evidence,
            attempt.scored,
            decided.decision,
            decided.shadow_reasons,
            shadow,
            step_us,
        )
        attempt.recording = Recording(entry, self.recorder, now_ms, attempt.budget.record_by_s)

    def _record(self, attempts: list[Attempt]) -> None:
        """Send all decisions to both places."""
        errors = self.recorder.record_all([one.recording for one in attempts])
        for attempt, error in zip(attempts, errors, strict=True):
            attempt.answer, attempt.error = attempt.recording, error

    @staticmethod
    def _try(attempt: Attempt, step: Callable[..., None], *given: object) -> None:
        """Take a step for one attempt; what it raises is that attempt's own error."""
        try:
            step(attempt, *given)
        except Exception as error:  # noqa: BLE001 - the others must not suffer
            attempt.error = error


def _left(attempts: Sequence[Attempt]) -> list[Attempt]:
    return [one for one in attempts if one.error is None and one.answer is None]
