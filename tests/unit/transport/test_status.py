"""What callers are told of errors."""

from fanzha.domain.errors import FieldFault, InvalidFieldsError
from fanzha.transport.status import to_failure


def test_the_message_says_what_is_wrong_with_the_first_fields() -> None:
    faults = tuple(FieldFault(f"transfer.{name}", "must be given") for name in "abcde")

    assert to_failure(InvalidFieldsError(faults[:1])).message == (
        "1 invalid field(s): transfer.a must be given"
    )
    assert to_failure(InvalidFieldsError(faults)).message == (
        "5 invalid field(s): transfer.a must be given; transfer.b must be given; transfer.c must "
        "be given; also transfer.d, transfer.e"
    )


def test_a_message_stays_short() -> None:
    faults = tuple(FieldFault(f"requests.{at}", "must be given") for at in range(40))

    assert to_failure(InvalidFieldsError(faults)).message.endswith("requests.11 and 28 more")
