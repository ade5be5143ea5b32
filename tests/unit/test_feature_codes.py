from tests.feature_codes import codes_of

from fanzha.features.codes import CODES
from fanzha.features.manifest import FEATURES


def test_the_reference_says_what_every_code_stands_for() -> None:
    codes = {feature.name for feature in FEATURES if feature.unit in ("code", "grade")}

    assert set(CODES) == codes - {"weekday"}
    assert codes_of("payer_list_grade").startswith("none 0, WATCH 1")
    assert codes_of("amount_minor") == ""
