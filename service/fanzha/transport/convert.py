"""Wire to domain and back. Maps fields; the rules about them are in `pipeline.validate`."""

from google.protobuf.timestamp_pb2 import Timestamp

from fanzha.domain.decision import Decision, Notice, Prompt
from fanzha.domain.transfer import NO_SESSION, Transfer, TransferDraft
from fanzha.domain.vocabulary import (
    Channel,
    NameMatch,
    TransferKind,
    TransferSpeed,
)
from fanzha.transport.door import Door
from fanzha.transport.identity import Tokens
from fanzha.v1 import scoring_pb2 as scoring


def to_draft(request: scoring.ScoreTransferRequest, caller: str, tokens: Tokens) -> TransferDraft:
    """Return the draft of one request, with tokens in place of identifiers."""
    door, transfer = Door(tokens), request.transfer
    has, amount = transfer.HasField, transfer.amount
    base = transfer.base_amount if has("base_amount") else amount
    balance = transfer.balance_before if has("balance_before") else None
    payer, payee, session = transfer.payer, transfer.payee, transfer.session
    # Each reading of a text makes a new one.
    request_id, transfer_id = request.request_id, transfer.transfer_id
    branch_id, terminal_id = transfer.branch_id, transfer.terminal_id
    identifiers = (
        *(payer.account, payee.account, payer.phone, payee.phone),
        *(payer.person, payee.person, session.device_id),
    )
    door.keep_out(
        identifiers,
        {
            "request_id": request_id,
            "transfer.transfer_id": transfer_id,
            "transfer.payer.account_ref": payer.account_ref,
            "transfer.payee.account_ref": payee.account_ref,
            "transfer.branch_id": branch_id,
            "transfer.terminal_id": terminal_id,
        },
    )
    return TransferDraft(
        transfer=Transfer(
            caller=caller,
            request_id=request_id,
            request_digest=tokens.body(request.SerializeToString(deterministic=True)),
            transfer_id=transfer_id,
            kind=door.choice(TransferKind, transfer.kind, "transfer.kind"),
            channel=door.choice(Channel, transfer.channel, "transfer.channel"),
            create_time_ms=(
                door.time_ms(transfer.create_time, "transfer.create_time")
                if has("create_time")
                else 0
            ),
            currency=amount.currency_code,
            amount_minor=amount.minor_units,
            base_amount_minor=base.minor_units,
            payer=door.party(payer, "transfer.payer"),
            payee=door.party(payee, "transfer.payee") if has("payee") else None,
            speed=door.choice(TransferSpeed, transfer.speed, "transfer.speed"),
            payee_same_owner=transfer.payee_same_owner if has("payee_same_owner") else None,
            payee_same_bank=transfer.payee_same_bank if has("payee_same_bank") else None,
            payee_name_match=door.choice(
                NameMatch, transfer.payee_name_match, "transfer.payee_name_match"
            ),
            remark=door.remark(transfer.remark, "transfer.remark", identifiers),
            balance_before_minor=None if balance is None else balance.minor_units,
            session=(door.session(session, "transfer.session") if has("session") else NO_SESSION),
            branch_id=branch_id,
            terminal_id=terminal_id,
        ),
        base_amount_currency="" if base is amount else base.currency_code,
        balance_currency="" if balance is None else balance.currency_code,
        faults=tuple(door.faults),
    )


def to_stamp(time_ms: int) -> Timestamp:
    """Return a time in milliseconds since 1970 UTC as a Timestamp."""
    stamp = Timestamp()
    _set_time(stamp, time_ms)
    return stamp


def to_response(decision: Decision) -> scoring.ScoreTransferResponse:
    """Return the answer for a decision; the same decision gives the same message."""
    response = scoring.ScoreTransferResponse()
    fill_response(response, decision)
    return response


def fill_response(response: scoring.ScoreTransferResponse, decision: Decision) -> None:
    """Write the answer for a decision where it is to stand, such as in a batch's.

    Field by field: to build messages first and have protobuf copy them takes three times as long.
    """
    response.decision_id = decision.decision_id
    response.request_id = decision.request_id
    response.transfer_id = decision.transfer_id
    response.decision = int(decision.kind)  # type: ignore[assignment]
    response.alert_level = int(decision.alert_level)  # type: ignore[assignment]
    if (score := decision.score) is not None:
        response.score = score.points
        if score.payee_mule is not None:
            response.payee_mule_score = score.payee_mule.points
        if score.payer_mule is not None:
            response.payer_mule_score = score.payer_mule.points
    versions, stands_on = response.versions, decision.versions
    versions.model_version = stands_on.model
    versions.policy_version = stands_on.policy
    versions.lists_version = stands_on.lists
    versions.service_version = stands_on.service
    _set_time(response.decide_time, decision.decide_time_ms)
    response.earlier_decision_id = decision.earlier_decision_id
    response.in_control_share = decision.in_control_share
    if decision.degraded:
        response.degraded_parts.extend(int(part) for part in decision.degraded)  # type: ignore[misc]
    if decision.hold_until_ms is not None:
        _set_time(response.hold_until_time, decision.hold_until_ms)
    _fill_words(response, decision)


def _fill_words(response: scoring.ScoreTransferResponse, decision: Decision) -> None:
    """Write why, and what is to be said; an ALLOW has little of it."""
    for guess in decision.fraud_types:
        response.fraud_types.add(
            fraud_type=int(guess.fraud_type),
            probability=guess.probability,
        )
    for reason in decision.reasons:
        response.internal_reasons.add(
            code=reason.code, text_zh=reason.text_zh, text_en=reason.text_en
        )
        if reason.customer_zh:
            response.customer_reasons.add(
                code=reason.code, text_zh=reason.customer_zh, text_en=reason.customer_en
            )
    if decision.prompt is not None:
        response.prompt.CopyFrom(_prompt(decision.prompt))
    if decision.notice is not None:
        response.notice.CopyFrom(_notice(decision.notice))


def _set_time(stamp: Timestamp, time_ms: int) -> None:
    stamp.seconds = time_ms // 1000
    stamp.nanos = time_ms % 1000 * 1_000_000


def _prompt(prompt: Prompt) -> scoring.Prompt:
    return scoring.Prompt(
        prompt_id=prompt.prompt_id,
        version=prompt.version,
        fraud_type=int(prompt.fraud_type),  # type: ignore[arg-type]
        texts=[
            scoring.PromptText(
                language_code=text.language,
                headline=text.headline,
                body=text.body,
                voice=text.voice,
                questions=text.questions,
            )
            for text in prompt.texts
        ],
    )


def _notice(notice: Notice) -> scoring.Notice:
    return scoring.Notice(
        case_id=notice.case_id,
        cause_zh=notice.cause_zh,
        cause_en=notice.cause_en,
        objection_zh=notice.objection_zh,
        objection_en=notice.objection_en,
        documents_zh=notice.documents_zh,
        documents_en=notice.documents_en,
    )
