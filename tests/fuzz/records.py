"""A whole record of a decision, as a worker writes it."""

import numpy as np
from tests.decision_inputs import (
    PAYEE_INVOLVED,
    a_score,
    a_transfer,
    a_vector,
    an_evidence,
    decided,
)

from fanzha.domain.record import DecisionRecord
from fanzha.domain.scored import Scored
from fanzha.features.facts import FACTS
from fanzha.pipeline.record import to_record


def a_record() -> DecisionRecord:
    transfer, evidence, vector = a_transfer(), an_evidence(PAYEE_INVOLVED), a_vector()
    decision = decided(transfer, evidence, vector, points=800).decision
    facts = np.zeros(len(FACTS), np.int64)
    scored = Scored(facts.tobytes(), vector.tobytes(), a_score(800))
    return to_record(transfer, evidence, scored, decision, ("S",), a_score(1), {"gather": 900})
