"""A decision's record without a model or kernel: only what recording looks at."""

from tests.decision_inputs import a_transfer, an_evidence, decided

from fanzha.domain.record import DecisionRecord


def a_record() -> DecisionRecord:
    """Return the record of a decision with nothing missing."""
    transfer, evidence = a_transfer(), an_evidence()
    return DecisionRecord(
        transfer=transfer,
        decision=decided(transfer, evidence).decision,
        list_hits=evidence.list_hits,
        facts=b"",
        vector=b"",
        payer_seq=0,
        payee_seq=0,
        payer_change=bytes(40),
        payee_change=bytes(40),
    )
