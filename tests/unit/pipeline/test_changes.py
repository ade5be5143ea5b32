"""What a decision leaves behind with the links of its accounts."""

from dataclasses import replace

import pytest
from tests.decision_inputs import NOW_MS, a_transfer, an_evidence, decided

from fanzha.domain.evidence import AccountState, LinkState
from fanzha.domain.ids import counterparty_of
from fanzha.domain.transfer import Party
from fanzha.domain.vocabulary import FraudType
from fanzha.features.layout import ReportRole, pack_link, pack_report
from fanzha.pipeline.changes import changes_of

PAYER = Party(b"p" * 16, phone=b"n" * 16)
KNOWN_MS = NOW_MS - 1000


@pytest.mark.parametrize(
    ("held_since_ms", "is_told"), [(None, True), (0, True), (KNOWN_MS + 1, True), (KNOWN_MS, False)]
)
def test_a_link_is_told_of_what_it_does_not_know(
    held_since_ms: int | None, *, is_told: bool
) -> None:
    account = counterparty_of(PAYER.account)
    report = pack_report(1, 0, FraudType.ROMANCE, ReportRole.MULE, 0, KNOWN_MS)
    row = pack_link(account, NOW_MS - 5000, held_since_ms or 0, 0)[:24]
    phone = LinkState(seen=b"" if held_since_ms is None else row)
    evidence = replace(
        an_evidence(),
        payer=AccountState(reports=report),
        links=(None, phone, None, None, None),
    )

    changes = changes_of(
        replace(a_transfer(), payer=PAYER), evidence, decided(a_transfer(), evidence).decision, 0
    )

    assert [token for token, _ in changes.payer_sightings] == [PAYER.phone] * is_told
    assert all(
        change[8:] == pack_link(0, NOW_MS, KNOWN_MS, account)[8:]
        for _, change in changes.payer_sightings
    )


@pytest.mark.parametrize("is_mule", [False, True])
def test_a_link_that_knows_a_crowd_is_told_of_mules_alone(*, is_mule: bool) -> None:
    crowd = b"".join(pack_link(number, NOW_MS - 5000, 0, 0)[:24] for number in range(32))
    report = pack_report(1, 0, FraudType.ROMANCE, ReportRole.MULE, 0, KNOWN_MS)
    evidence = replace(
        an_evidence(),
        payer=AccountState(reports=report if is_mule else b""),
        links=(None, LinkState(seen=crowd), None, None, None),
    )

    changes = changes_of(
        replace(a_transfer(), payer=PAYER), evidence, decided(a_transfer(), evidence).decision, 0
    )

    assert [token for token, _ in changes.payer_sightings] == [PAYER.phone] * is_mule
