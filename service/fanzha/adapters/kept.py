"""What was reported about a decision, as the spool keeps it: enough to report it again."""

from dataclasses import dataclass

from fanzha.adapters.codec import decode, encode
from fanzha.domain.record import (
    ExecutionRecord,
    OutcomeRecord,
    Subject,
    WithdrawalRecord,
)


@dataclass(frozen=True, slots=True)
class KeptReport:
    """One report, with what it needs to know of its decision; one of the last three is given."""

    entry: str
    """Id of its journal entry, or of a newer one."""
    payer: bytes
    payee: bytes
    payer_change: bytes
    execution: ExecutionRecord | None = None
    outcome: OutcomeRecord | None = None
    withdrawal: WithdrawalRecord | None = None

    @property
    def record(self) -> ExecutionRecord | OutcomeRecord | WithdrawalRecord:
        """What was reported.

        Raises:
            ValueError: nothing was.
        """
        record = self.execution or self.outcome or self.withdrawal
        if record is None:
            raise ValueError("a spooled report holds none")
        return record

    @property
    def subject(self) -> Subject:
        """What the report needs to know of its decision's transfer."""
        return Subject(self.payer, self.payee, self.payer_change)


def encode_report(
    subject: Subject,
    record: ExecutionRecord | OutcomeRecord | WithdrawalRecord,
    entry: bytes,
) -> bytes:
    """Return the bytes of a report that Redis holds under a journal entry."""
    kept = KeptReport(
        entry.decode(),
        subject.payer,
        subject.payee,
        subject.payer_change,
        record if isinstance(record, ExecutionRecord) else None,
        record if isinstance(record, OutcomeRecord) else None,
        record if isinstance(record, WithdrawalRecord) else None,
    )
    return encode(kept)


def decode_report(body: bytes) -> KeptReport:
    """Return a report from its bytes. Raises msgspec.DecodeError."""
    return decode(body, KeptReport)
