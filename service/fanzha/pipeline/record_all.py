"""Puts several decisions into two places, into the store in one round trip."""

from collections.abc import Sequence

from fanzha.domain.errors import NotRecordedError, RequestIdReusedError
from fanzha.domain.record import DecisionRecord
from fanzha.pipeline.record import Recorder, Recording


def record_all(
    entries: Sequence[tuple[DecisionRecord, int]], places: Recorder, deadline_s: float
) -> list[Recording | Exception]:
    """Send decisions to both places, to the store in one round trip; see `Recording`.

    Args:
        entries: decisions of different payers, each with the service's clock at its turn,
            milliseconds since 1970 UTC.
        places: where they go.
        deadline_s: instant of time.monotonic(); see `Recording`.

    Returns:
        For each its way to both places, or what the constructor of one raises.
    """
    answers: list[Recording | Exception] = []
    sent: list[tuple[Recording, DecisionRecord, bytes, int]] = []
    for entry, now_ms in entries:
        recording = Recording(entry, places, now_ms, deadline_s, is_one_of_many=True)
        answers.append(recording)
        try:
            body = recording.spooled()
        except (NotRecordedError, RequestIdReusedError) as error:
            answers[-1] = error
            continue
        if body is not None:
            sent.append((recording, entry, body, now_ms))
    committed = places.journal.commit_all([one[1:] for one in sent], deadline_s)
    for (recording, *_), outcome in zip(sent, committed, strict=True):
        try:
            recording.committed(outcome)
        except (NotRecordedError, RequestIdReusedError) as error:
            answers[answers.index(recording)] = error
    return answers
