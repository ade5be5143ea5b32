"""A batch is judged in waves that leave every account's own order as it was."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.decision_inputs import a_transfer

from fanzha.domain.transfer import Party, Transfer
from fanzha.pipeline.waves import WAVE_MAX, waves


def a_payment(payer: int, payee: int | None) -> Transfer:
    to = None if payee is None else Party(bytes([payee]) * 16)
    return replace(a_transfer(), payer=Party(bytes([payer]) * 16), payee=to)


def accounts(transfer: Transfer) -> set[bytes]:
    payee = transfer.payee
    return {transfer.payer.account} | ({payee.account} if payee is not None else set())


ACCOUNT = st.integers(1, 40)
BATCH = st.lists(st.builds(a_payment, ACCOUNT, st.none() | ACCOUNT), max_size=150)


@given(BATCH)
def test_who_reads_an_account_that_an_earlier_one_pays_from_comes_after_it(
    batch: list[Transfer],
) -> None:
    judged = waves(batch)
    wave_of = {place: number for number, wave in enumerate(judged) for place in wave}

    assert sorted(wave_of) == list(range(len(batch)))
    assert all(0 < len(wave) <= WAVE_MAX for wave in judged)
    for later, transfer in enumerate(batch):
        for earlier, before in enumerate(batch[:later]):
            if before.payer.account in accounts(transfer):
                assert wave_of[earlier] < wave_of[later]
            if transfer.payer.account in accounts(before):
                assert wave_of[earlier] <= wave_of[later]


def test_payments_of_different_accounts_are_one_wave() -> None:
    batch = [a_payment(number, 200) for number in range(1, 65)]

    assert waves(batch) == [list(range(64))]


def test_payments_of_one_account_are_judged_one_after_the_other() -> None:
    assert waves([a_payment(1, 2), a_payment(1, 3), a_payment(4, 5)]) == [[0, 2], [1]]
