"""Wire to domain and back. Maps fields; the rules about them are in `pipeline.validate`."""

from datetime import date
from enum import IntEnum
from re import Pattern
from typing import TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from fanzha.domain.decision import Decision, HeadScore, Notice, Prompt
from fanzha.domain.errors import FieldFault
from fanzha.domain.ids import TIME_MS_MAX
from fanzha.domain.transfer import Party, Session, Transfer, TransferDraft
from fanzha.domain.vocabulary import (
    Channel,
    CustomerSegment,
    NameMatch,
    PartyType,
    TransferKind,
    TransferSpeed,
)
from fanzha.transport.identity import IDENTIFIER, PHONE, Tokens, masked, redacted, telling, tells
from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import transfer_pb2 as wire

E = TypeVar("E", bound=IntEnum)

_EPOCH = date(1970, 1, 1).toordinal()
REMARK_MAX = 256
_NAME_MAX = 256
"""Longer than any name that is kept."""


class Door:
    """Reads one request: collects every fault that shows only in the raw fields."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self.faults: list[FieldFault] = []

    def fault(self, field: str, description: str) -> None:
        """Note one fault."""
        self.faults.append(FieldFault(field, description))

    def choice(self, kind: type[E], value: int, field: str) -> E:
        """Return the member of an enum; an unknown number is a fault."""
        try:
            return kind(value)
        except ValueError:
            self.fault(field, f"{value} is not a value of {kind.__name__} that this service knows")
            return kind(0)

    def token(self, raw: str, field: str, *, form: Pattern[str], longest: int) -> bool:
        """Say whether a raw identifier may be tokenised: given, and well formed."""
        if not raw:
            return False
        if len(raw) > longest or not form.match(raw):
            self.fault(
                field,
                f"must be at most {longest} characters of "
                + ("[0-9+ -]" if form is PHONE else "[A-Za-z0-9._:-]"),
            )
            return False
        return True

    def time_ms(self, stamp: Timestamp, field: str) -> int:
        """Return a time in milliseconds since 1970 UTC; 0 when it is absurd, with a fault."""
        ms = stamp.seconds * 1000 + stamp.nanos // 1_000_000
        if 0 < ms < TIME_MS_MAX and 0 <= stamp.nanos < 1_000_000_000:
            return ms
        self.fault(field, "must be a time from 1970 to 2099 with nanos 0 to 999999999")
        return 0

    def day(self, value: wire.Date, field: str) -> int | None:
        """Return a date in days since 1970-01-01."""
        if not 1900 <= value.year <= 2100:
            self.fault(field, "year must be 1900 to 2100")
            return None
        try:
            return date(value.year, value.month, value.day).toordinal() - _EPOCH
        except ValueError:
            self.fault(field, f"{value.year}-{value.month}-{value.day} is no date")
            return None

    def party(self, party: wire.Party, field: str) -> Party:
        """Return one side with tokens for its identifiers."""
        tokens, known = self._tokens, self.token
        account = person = phone = None
        if known(party.account, f"{field}.account", form=IDENTIFIER, longest=64):
            account = tokens.account(party.account)
        if known(party.person, f"{field}.person", form=IDENTIFIER, longest=64):
            person = tokens.person(party.person)
        if known(party.phone, f"{field}.phone", form=PHONE, longest=32):
            phone = tokens.phone(party.phone)
        opening = party.opening
        open_day = None
        if opening.HasField("open_date"):
            open_day = self.day(opening.open_date, f"{field}.opening.open_date")
        return Party(
            account=account or b"",
            account_ref=party.account_ref,
            account_masked=masked(party.account) if account else "",
            person=person,
            phone=phone,
            type=self.choice(PartyType, party.type, f"{field}.type"),
            segment=self.choice(CustomerSegment, party.segment, f"{field}.segment"),
            open_day=open_day,
            open_channel=self.choice(Channel, opening.channel, f"{field}.opening.channel"),
            dual_recording_done=(
                opening.dual_recording_done if opening.HasField("dual_recording_done") else None
            ),
            anti_fraud_app=party.anti_fraud_app if party.HasField("anti_fraud_app") else None,
        )

    def session(self, session: wire.Session, field: str) -> Session:
        """Return the session with a token for its device."""
        device = None
        if self.token(session.device_id, f"{field}.device_id", form=IDENTIFIER, longest=128):
            device = self._tokens.device(session.device_id)
        has = session.HasField
        return Session(
            device=device,
            call_in_progress=session.call_in_progress if has("call_in_progress") else None,
            screen_shared=session.screen_shared if has("screen_shared") else None,
            remote_control=session.remote_control if has("remote_control") else None,
            new_device=session.new_device if has("new_device") else None,
            new_e_channel=session.new_e_channel if has("new_e_channel") else None,
            limit_just_raised=session.limit_just_raised if has("limit_just_raised") else None,
        )

    def keep_out(self, identifiers: tuple[str, ...], named: dict[str, str]) -> None:
        """Note a fault where a name that is kept as it is holds one of the raw identifiers."""
        told = telling(identifiers)
        for field, value in named.items():
            # A longer one is refused for its length; to search it would cost more than it.
            if len(value) <= _NAME_MAX and tells(value, told):
                self.fault(
                    field, "must hold no account, phone, ID or device number, nor a mail address"
                )

    def remark(self, text: str, field: str, identifiers: tuple[str, ...] = ()) -> str:
        """Return free text with identifiers redacted, those that came with it and what looks so.

        Too long a text is a fault.
        """
        if len(text) > REMARK_MAX:
            self.fault(field, f"must be at most {REMARK_MAX} characters")
            return ""
        return redacted(text, identifiers) if text else ""


def to_draft(request: scoring.ScoreTransferRequest, caller: str, tokens: Tokens) -> TransferDraft:
    """Return the draft of one request, with tokens in place of identifiers."""
    door = Door(tokens)
    transfer = request.transfer
    has = transfer.HasField
    base = transfer.base_amount if has("base_amount") else transfer.amount
    payer, payee = transfer.payer, transfer.payee
    identifiers = (
        *(payer.account, payee.account, payer.phone, payee.phone),
        *(payer.person, payee.person, transfer.session.device_id),
    )
    door.keep_out(
        identifiers,
        {
            "request_id": request.request_id,
            "transfer.transfer_id": transfer.transfer_id,
            "transfer.payer.account_ref": payer.account_ref,
            "transfer.payee.account_ref": payee.account_ref,
            "transfer.branch_id": transfer.branch_id,
            "transfer.terminal_id": transfer.terminal_id,
        },
    )
    return TransferDraft(
        transfer=Transfer(
            caller=caller,
            request_id=request.request_id,
            request_digest=tokens.body(request.SerializeToString(deterministic=True)),
            transfer_id=transfer.transfer_id,
            kind=door.choice(TransferKind, transfer.kind, "transfer.kind"),
            channel=door.choice(Channel, transfer.channel, "transfer.channel"),
            create_time_ms=(
                door.time_ms(transfer.create_time, "transfer.create_time")
                if has("create_time")
                else 0
            ),
            currency=transfer.amount.currency_code,
            amount_minor=transfer.amount.minor_units,
            base_amount_minor=base.minor_units,
            payer=door.party(transfer.payer, "transfer.payer"),
            payee=door.party(transfer.payee, "transfer.payee") if has("payee") else None,
            speed=door.choice(TransferSpeed, transfer.speed, "transfer.speed"),
            payee_same_owner=transfer.payee_same_owner if has("payee_same_owner") else None,
            payee_same_bank=transfer.payee_same_bank if has("payee_same_bank") else None,
            payee_name_match=door.choice(
                NameMatch, transfer.payee_name_match, "transfer.payee_name_match"
            ),
            remark=door.remark(transfer.remark, "transfer.remark", identifiers),
            balance_before_minor=(
                transfer.balance_before.minor_units if has("balance_before") else None
            ),
            session=door.session(transfer.session, "transfer.session"),
            branch_id=transfer.branch_id,
            terminal_id=transfer.terminal_id,
        ),
        base_amount_currency=base.currency_code if has("base_amount") else "",
        balance_currency=transfer.balance_before.currency_code if has("balance_before") else "",
        faults=tuple(door.faults),
    )


def to_stamp(time_ms: int) -> Timestamp:
    """Return a time in milliseconds since 1970 UTC as a Timestamp."""
    return Timestamp(seconds=time_ms // 1000, nanos=time_ms % 1000 * 1_000_000)


def to_response(decision: Decision) -> scoring.ScoreTransferResponse:
    """Return the answer for a decision; the same decision gives the same message."""
    versions, score = decision.versions, decision.score
    response = scoring.ScoreTransferResponse(
        decision_id=decision.decision_id,
        request_id=decision.request_id,
        transfer_id=decision.transfer_id,
        decision=int(decision.kind),  # type: ignore[arg-type]
        alert_level=int(decision.alert_level),  # type: ignore[arg-type]
        score=None if score is None else score.points,
        payee_mule_score=None if score is None else _points(score.payee_mule),
        payer_mule_score=None if score is None else _points(score.payer_mule),
        versions=scoring.Versions(
            model_version=versions.model,
            policy_version=versions.policy,
            lists_version=versions.lists,
            service_version=versions.service,
        ),
        decide_time=to_stamp(decision.decide_time_ms),
        earlier_decision_id=decision.earlier_decision_id,
        in_control_share=decision.in_control_share,
    )
    for guess in decision.fraud_types:
        response.fraud_types.add(
            fraud_type=int(guess.fraud_type),
            probability=guess.probability,
        )
    if decision.degraded:
        response.degraded_parts.extend(int(part) for part in decision.degraded)  # type: ignore[misc]
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
    if decision.hold_until_ms is not None:
        response.hold_until_time.CopyFrom(to_stamp(decision.hold_until_ms))
    return response


def _points(score: HeadScore | None) -> int | None:
    return None if score is None else score.points


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
