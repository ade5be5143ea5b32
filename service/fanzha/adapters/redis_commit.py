"""What commit.lua is asked for one decision."""

from dataclasses import dataclass
from itertools import chain

from fanzha.adapters import keys
from fanzha.adapters.codec import encode
from fanzha.adapters.reads import ANSWER_HEAD, request_digest
from fanzha.adapters.redis_link import Command, Scripts
from fanzha.domain.ids import bucket_of
from fanzha.domain.record import DecisionRecord


@dataclass(frozen=True, slots=True)
class Lives:
    """How long answers and request ids are held, in milliseconds."""

    window_ms: int
    """Idempotency window: the same request id gets the stored answer."""
    memory_ms: int
    """For this long a later request with the same id is told of the earlier decision."""


def commit_call(
    scripts: Scripts, lives: Lives, record: DecisionRecord, body: bytes, now_ms: int, again: bytes
) -> Command:
    """Return the command that stores a decision.

    Args:
        scripts: the scripts of the link that it goes over.
        lives: how long what is held.
        record: the decision with all that it stood on.
        body: its bytes.
        now_ms: the service's clock, milliseconds since 1970 UTC.
        again: b"" the first time, b"1" when it is sent again, b"2" when it is and has no mark.
    """
    transfer, decision = record.transfer, record.decision
    payer, bucket = transfer.payer.account, bucket_of(transfer.payer.account)
    payee = transfer.payee.account if transfer.payee is not None else b""
    # A decision lies in its payer's bucket, so that nothing has to be read out of its id.
    tag, decision_id = keys.tag(bucket), decision.decision_id.encode()
    decisions = keys.decision_prefix(bucket)
    own_keys = (
        keys.account(payer),
        keys.request(payer, request_digest(transfer)),
        decisions + decision_id,
        tag + b"journal",
        tag + b"outbox",
        tag + b"recorded:" + decision_id,
        tag + b"epoch",
    )
    args = (
        now_ms,
        lives.window_ms,
        lives.memory_ms,
        transfer.request_digest,
        decision_id,
        answer_of(record),
        record.payer_change,
        body,
        payee,
        record.payee_change,
        decisions,
        payer,
        *_new_links(record, again),
    )
    return scripts.call("commit", own_keys, args)


def answer_of(record: DecisionRecord) -> bytes:
    """Return what is held under a decision's key."""
    transfer = record.transfer
    payee = transfer.payee.account if transfer.payee is not None else b""
    head = ANSWER_HEAD.pack(transfer.payer.account, payee, record.payer_change)
    return head + encode(record.decision)


def _new_links(record: DecisionRecord, again: bytes) -> tuple[bytes, ...]:
    """Return what commit.lua wants to know of links that do not know their account yet."""
    of_payer, of_payee = record.payer_sightings, record.payee_sightings
    new_to_payer = b"".join(token for token, _ in of_payer)
    new_to_payee = b"".join(token for token, _ in of_payee)
    return (new_to_payer, new_to_payee, again, *chain.from_iterable((*of_payer, *of_payee)))
