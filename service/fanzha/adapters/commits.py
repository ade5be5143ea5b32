"""What is sent to commit a decision, and what it leaves in the outbox for other accounts."""

from collections.abc import Iterator
from itertools import chain

from fanzha.adapters import keys
from fanzha.adapters.reads import request_digest
from fanzha.adapters.redis_link import Command, Scripts
from fanzha.adapters.relay import RECEIVE, SIGHTING, Message
from fanzha.domain.ids import bucket_of
from fanzha.domain.record import DecisionRecord
from fanzha.domain.transfer import Transfer


def commit_call(
    scripts: Scripts,
    record: DecisionRecord,
    answer: bytes,
    body: bytes,
    now_ms: int,
    lives_ms: tuple[int, int],
    again: bytes,
) -> Command:
    """Return the call of the script `commit`.

    Args:
        scripts: knows its hash.
        record: the decision.
        answer: what is held under its key.
        body: the record's bytes, for the journal.
        now_ms: the service's clock, milliseconds since 1970 UTC.
        lives_ms: how long answers are held, and request ids, in milliseconds.
        again: empty when it is sent for the first time; else see the script.
    """
    transfer = record.transfer
    decision_id = record.decision.decision_id.encode()
    payer, bucket = transfer.payer.account, bucket_of(transfer.payer.account)
    tag = keys.tag(bucket)
    of_payer, of_payee = record.payer_sightings, record.payee_sightings
    return scripts.call(
        "commit",
        (
            keys.account(payer),
            keys.request(payer, request_digest(transfer)),
            # A decision lies in its payer's bucket.
            tag + b"decision:" + decision_id,
            tag + b"journal",
            tag + b"outbox",
            tag + b"recorded:" + decision_id,
            tag + b"epoch",
        ),
        (
            now_ms,
            *lives_ms,
            transfer.request_digest,
            decision_id,
            answer,
            record.payer_change,
            body,
            _payee(transfer),
            record.payee_change,
            tag + b"decision:",
            payer,
            b"".join([token for token, _ in of_payer]),
            b"".join([token for token, _ in of_payee]),
            again,
            *chain.from_iterable((*of_payer, *of_payee)),
        ),
    )


def messages_of(record: DecisionRecord, outbox_ids: list[bytes]) -> Iterator[Message]:
    """Yield what the script put into the outbox, in its order, under the ids that it replied."""
    if not outbox_ids:
        return
    transfer, bucket = record.transfer, bucket_of(record.transfer.payer.account)
    ids = iter(outbox_ids)
    if payee := _payee(transfer):
        links = b"".join([token for token, _ in record.payee_sightings])
        yield Message(bucket, next(ids), payee, RECEIVE, record.payee_change, links)
    sightings = chain(record.payer_sightings, record.payee_sightings)
    for outbox_id, (token, change) in zip(ids, sightings, strict=True):
        yield Message(bucket, outbox_id, token, SIGHTING, change)


def _payee(transfer: Transfer) -> bytes:
    return transfer.payee.account if transfer.payee is not None else b""
