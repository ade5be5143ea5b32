"""Family `lists`: watchlist grades in effect, short of the hard evidence that decides by itself."""

from fanzha.features import facts as f
from fanzha.features.compiled import compiled, known
from fanzha.features.feature import Feature

_UNREAD = "lists could not be read"

FEATURES = (
    Feature("payer_list_grade", "lists", "grade", "Gravest entry on the payer's account.", _UNREAD),
    Feature("payee_list_grade", "lists", "grade", "Gravest entry on the payee's account.", _UNREAD),
    Feature("contact_list_grade", "lists", "grade",
            "Gravest entry on a phone, person or device of the transfer.", _UNREAD),
)  # fmt: skip

(PAYER, PAYEE, CONTACT) = range(len(FEATURES))


@compiled()
def compute(facts, out):
    """Write the family's features: facts int64[:], out float32[:]."""
    out[PAYER] = known(facts[f.PAYER_LIST_GRADE])
    out[PAYEE] = known(facts[f.PAYEE_LIST_GRADE])
    out[CONTACT] = known(facts[f.CONTACT_LIST_GRADE])
