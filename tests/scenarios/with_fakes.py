"""Plays a story through `Assessor.assess`, with fakes for everything outside."""

from functools import cache
from pathlib import Path

from tests.fakes import (
    FakeStore,
    FixedModel,
    FrozenClock,
    MemoryJournal,
    MemorySpool,
    OneModel,
)
from tests.model_folders import champion_folder
from tests.scenarios.staging import ZONE, Staging
from tests.scenarios.story import PaymentPart

from fanzha.adapters.codec import Codec
from fanzha.adapters.onnx_model import OnnxModel
from fanzha.domain.evidence import WatchlistEntry
from fanzha.domain.ids import counterparty_of
from fanzha.domain.transfer import LINKS_OF_PAYER, Transfer, link_tokens
from fanzha.domain.vocabulary import (
    DecisionKind,
    DegradedPart,
    ExecutionStatus,
    PartyType,
    WatchlistGrade,
    WatchlistKind,
)
from fanzha.features.layout import (
    Change,
    ReportRole,
    pack_event,
    pack_execution,
    pack_flags,
    pack_link,
    pack_report,
)
from fanzha.pipeline.assess import Assessor
from fanzha.pipeline.budget import Budget
from fanzha.pipeline.ports import Model
from fanzha.pipeline.record import Recorder
from fanzha.pipeline.score import utc_offset_s
from fanzha.pipeline.shadow import Shadows
from fanzha.pipeline.validate import Rules
from fanzha.policy.load import load_policy
from fanzha.policy.prompts import load_prompts
from fanzha.registry.model_folder import read_model_folder
from fanzha.transport.convert import to_draft, to_response
from fanzha.transport.identity import Tokens
from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import watchlists_pb2 as watchlists

MODELS = Path(__file__).parents[2] / "models"
_TOKENS = Tokens(bytes(32))
_POLICY, _PROMPTS = load_policy(), load_prompts()


def play(staging: Staging) -> scoring.ScoreTransferResponse:
    """Return the answer to the story's transfer."""
    when = staging.story.when
    lacks = frozenset(DegradedPart[part.upper()] for part in when.lacks)
    store = FakeStore(is_away=when.redis == "away", lacks=lacks)
    for number, (payment, request) in enumerate(staging.history(), 1):
        remember(store, to_draft(request, "story", _TOKENS).transfer, payment, number)
    for entry in staging.entries():
        token, listed = _listed(entry)
        store.entries.setdefault(token, []).append(listed)
    spool = MemorySpool(is_full=when.disk == "full")
    journal = MemoryJournal(is_away=store.is_away or DegradedPart.JOURNAL in lacks)

    decision = _assessor(staging, store, spool, journal).assess(
        to_draft(staging.request(), "story", _TOKENS), Budget(0.0, 0.0)
    )

    on_record = [record.decision for record in (*journal.records, *spool.later)]
    assert on_record == [decision]
    return to_response(decision)


def remember(store: FakeStore, transfer: Transfer, payment: PaymentPart, number: int) -> None:
    """Put a payment that was carried out into the history of everything that took part in it."""
    payer, payee = transfer.payer.account, transfer.payee.account if transfer.payee else b""
    event = (number, transfer.create_time_ms, transfer.base_amount_minor)
    flags = pack_flags(
        transfer.channel, transfer.kind, DecisionKind.ALLOW, PartyType.UNSPECIFIED,
        utc_offset_s(transfer.create_time_ms, ZONE), same_owner=transfer.payee_same_owner,
    )  # fmt: skip
    ours, theirs = counterparty_of(payer), counterparty_of(payee)
    _pay(store, payer, Change.ATTEMPT, Change.EXECUTION_OUT, pack_event(*event, theirs, flags))
    if payee:
        receipt = pack_event(*event, ours, flags)
        _pay(store, payee, Change.RECEIVE, Change.EXECUTION_IN, receipt)
    for place, token in enumerate(link_tokens(transfer)):
        account = ours if place < LINKS_OF_PAYER else theirs
        if token is not None:
            store.links[token].apply(Change.SIGHTING, pack_link(*event[:2], 0, account))
    if payee and payment.fraud is not None:
        for account, role, other in (
            (payer, ReportRole.VICTIM, theirs),
            (payee, ReportRole.MULE, ours),
        ):
            report = pack_report(*event[:2], payment.fraud, role, other, event[1])
            store.accounts[account].apply(Change.REPORT, report)
        for token in link_tokens(transfer)[LINKS_OF_PAYER:]:
            if token is not None:
                store.links[token].apply(Change.TAINT, pack_link(*event[:2], event[1], theirs))


def _pay(store: FakeStore, account: bytes, moved: Change, executed: Change, event: bytes) -> None:
    store.accounts[account].apply(moved, event)
    store.accounts[account].apply(executed, pack_execution(event, ExecutionStatus.POSTED))


def _listed(entry: watchlists.WatchlistEntry) -> tuple[bytes, WatchlistEntry]:
    kind = WatchlistKind(entry.kind)
    tokenise = {
        WatchlistKind.PERSON: _TOKENS.person,
        WatchlistKind.PHONE: _TOKENS.phone,
        WatchlistKind.DEVICE: _TOKENS.device,
    }.get(kind, _TOKENS.account)
    return tokenise(entry.identifier), WatchlistEntry(
        kind=kind,
        grade=WatchlistGrade(entry.grade),
        source=entry.source,
        case_number=entry.case_number,
        legal_basis=entry.legal_basis,
        valid_from_ms=entry.valid_from_time.ToMilliseconds(),
        valid_until_ms=entry.valid_until_time.ToMilliseconds(),
        proposed_by="one",
        approved_by="another",
    )


def _assessor(
    staging: Staging, store: FakeStore, spool: MemorySpool, journal: MemoryJournal
) -> Assessor:
    given, when = staging.story.given, staging.story.when
    model: Model | None = _default_model() if given.score is None else FixedModel(given.score)
    return Assessor(
        clock=FrozenClock(staging.now_ms),
        randomness=bytes,
        store=store,
        models=OneModel(None if when.model == "missing" else model),
        policy=_POLICY,
        prompts=_PROMPTS,
        recorder=Recorder(spool, journal, Codec()),
        shadows=Shadows(budget_us=1_000),
        rules=Rules("CNY"),
        zone=ZONE,
        idempotency_window_ms=7_200_000,
        service_version="story",
    )


@cache
def _default_model() -> OnnxModel:
    return OnnxModel(read_model_folder(champion_folder(MODELS)))
