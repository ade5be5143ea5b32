"""Family `customer`: what the parties are, and how long their accounts have been open."""

from fanzha.features import facts as f
from fanzha.features.compiled import compiled, day_of, known
from fanzha.features.feature import Feature

_UNSAID = "not said"

FEATURES = (
    Feature("payer_type", "customer", "code", "Payer's PartyType.", _UNSAID),
    Feature("payer_segment", "customer", "code", "Payer's CustomerSegment.", _UNSAID),
    Feature("payer_account_age_days", "customer", "days", "Age of the payer's account.", _UNSAID),
    Feature("payer_anti_fraud_app", "customer", "flag", "Payer has the anti-fraud app.", _UNSAID),
    Feature("payee_type", "customer", "code", "Payee's PartyType.", _UNSAID),
    Feature("payee_account_age_days", "customer", "days", "Age of the payee's account.", _UNSAID),
    Feature("payee_open_channel", "customer", "code",
            "Channel through which the payee's account was opened.", _UNSAID),
    Feature("payee_dual_recording_done", "customer", "flag",
            "双录 was done when the payee's account was opened.", _UNSAID),
    Feature("payee_same_owner", "customer", "flag", "Both accounts are one person's.", _UNSAID),
    Feature("payee_same_bank", "customer", "flag", "Payee's account is at this bank.", _UNSAID),
    Feature("payee_name_match", "customer", "code", "Result of the name check: NameMatch.",
            "no check was made"),
)  # fmt: skip

(
    PAYER_TYPE,
    PAYER_SEGMENT,
    PAYER_AGE,
    PAYER_APP,
    PAYEE_TYPE,
    PAYEE_AGE,
    PAYEE_OPEN_CHANNEL,
    PAYEE_RECORDED,
    SAME_OWNER,
    SAME_BANK,
    NAME_MATCH,
) = range(len(FEATURES))


@compiled()
def compute(facts, out):
    """Write the family's features: facts int64[:], out float32[:]."""
    today = day_of(facts[f.TIME_MS], facts[f.UTC_OFFSET_S])
    out[PAYER_TYPE] = known(facts[f.PAYER_TYPE])
    out[PAYER_SEGMENT] = known(facts[f.PAYER_SEGMENT])
    out[PAYER_AGE] = today - known(facts[f.PAYER_OPEN_DAY])
    out[PAYER_APP] = known(facts[f.PAYER_ANTI_FRAUD_APP])
    out[PAYEE_TYPE] = known(facts[f.PAYEE_TYPE])
    out[PAYEE_AGE] = today - known(facts[f.PAYEE_OPEN_DAY])
    out[PAYEE_OPEN_CHANNEL] = known(facts[f.PAYEE_OPEN_CHANNEL])
    out[PAYEE_RECORDED] = known(facts[f.PAYEE_DUAL_RECORDING_DONE])
    out[SAME_OWNER] = known(facts[f.PAYEE_SAME_OWNER])
    out[SAME_BANK] = known(facts[f.PAYEE_SAME_BANK])
    out[NAME_MATCH] = known(facts[f.PAYEE_NAME_MATCH])
