"""The story of one transfer: validate, gather, score, decide, record."""

from dataclasses import dataclass
from datetime import tzinfo

import numpy as np
import numpy.typing as npt

from fanzha.domain.decision import Decision
from fanzha.domain.evidence import Evidence
from fanzha.domain.ids import bucket_of, new_decision_id
from fanzha.domain.record import DecisionRecord
from fanzha.domain.scored import Scored
from fanzha.domain.transfer import Transfer, TransferDraft
from fanzha.domain.vocabulary import DegradedPart
from fanzha.pipeline.answer import Answer
from fanzha.pipeline.budget import Budget
from fanzha.pipeline.decide import decide
from fanzha.pipeline.explain import explainer
from fanzha.pipeline.gather import gather, missing_parts
from fanzha.pipeline.ports import Clock, Models, Randomness, ServedModels, Store
from fanzha.pipeline.record import Recorder, Recording, to_record
from fanzha.pipeline.score import score
from fanzha.pipeline.shadow import Shadows
from fanzha.pipeline.validate import Rules, validate
from fanzha.policy.policy import Policy
from fanzha.policy.prompts import PromptCatalogue
from fanzha.telemetry import Steps


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
        return self.begin(draft, budget).finish()

    def begin(self, draft: TransferDraft, budget: Budget) -> Answer:
        """Judge one attempt; what is returned gives the decision once it is on record.

        So nobody has to wait for the disk on a thread. Raises as `assess` does, both here and when
        the answer is finished.
        """
        self.clock.observe(draft.transfer.create_time_ms)
        now_ms, steps = self.clock.now_ms(), Steps()
        models = self.models.current()

        transfer = validate(draft, self.rules, now_ms)
        steps.done("validate")
        evidence = gather(
            transfer, self.store, now_ms, self.idempotency_window_ms, budget.read_by_s
        )
        steps.done("gather")
        if (stored := evidence.stored) is not None:
            return self.recorder.repeat(stored, budget.record_by_s)

        scored, features = score(transfer, evidence, models.champion, self.zone)
        steps.done("score")
        entry = self.judge(transfer, evidence, scored, features, models, now_ms, steps)
        return Recording(entry, self.recorder, now_ms, budget.record_by_s)

    def judge(
        self,
        transfer: Transfer,
        evidence: Evidence,
        scored: Scored,
        features: npt.NDArray[np.float32],
        models: ServedModels,
        now_ms: int,
        steps: Steps,
    ) -> DecisionRecord:
        """Decide, and return the record of it; nothing holds it yet.

        Args:
            transfer: a valid transfer.
            evidence: what is known about it; no stored answer.
            scored: what the model says.
            features: float32 of shape (features,).
            models: those that are served at this moment.
            now_ms: the service's clock, milliseconds since 1970 UTC.
            steps: times what is done here.
        """
        missing = missing_parts(transfer, evidence)
        if not scored.score:
            missing = (*missing, DegradedPart.MODEL)
        if not self.recorder.has_both_places(transfer.payer.account):
            missing = (*missing, DegradedPart.JOURNAL)
        decided = decide(
            transfer,
            evidence,
            scored,
            features,
            self.policy,
            self.prompts,
            explainer(models.champion, features),
            decision_id=new_decision_id(
                now_ms, bucket_of(transfer.payer.account), self.randomness(9)
            ),
            now_ms=now_ms,
            degraded=missing,
            service_version=self.service_version,
        )
        steps.done("decide")
        # Only now: what a shadow says, or that it fails, can no longer reach the decision.
        shadow = self.shadows.score(models.shadow, features)
        steps.done("shadow")
        return to_record(
            transfer, evidence, scored, decided.decision, decided.shadow_reasons, shadow, steps.us
        )
