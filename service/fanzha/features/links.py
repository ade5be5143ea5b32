"""Family `links`: which accounts share the device, the phones and the persons of a transfer.

Mules come in farms: one device, many accounts. What is known of one account of a link taints the
link, less with every month. Devices count where customers bring their own: in mobile and online
banking.
"""

import numpy as np

from fanzha.domain.transfer import LINKS_OF_PAYER
from fanzha.domain.vocabulary import Channel
from fanzha.features import facts as f
from fanzha.features import layout as at
from fanzha.features.compiled import compiled
from fanzha.features.feature import Feature
from fanzha.features.spans import DAY_MS

LINKS = ("device", "payer_phone", "payer_person", "payee_phone", "payee_person")
"""Links of a transfer, in the order of the vector; the last two belong to the payee's account."""
_DEVICE = 0
_MOBILE, _ONLINE = int(Channel.MOBILE), int(Channel.ONLINE)

_WORDS = {
    "device": "the device",
    "payer_phone": "the payer's phone",
    "payer_person": "the payer's person",
    "payee_phone": "the payee's phone",
    "payee_person": "the payee's person",
}
_HALF_LIFE_MS = 30.0 * DAY_MS


def link_features(link: str) -> tuple[Feature, ...]:
    """Return the features of one link."""
    words = _WORDS[link]
    side = "payee" if link.startswith("payee") else "payer"
    unknown = f"not given, or {words} could not be read"
    if link == "device":
        unknown += ", or a channel other than MOBILE and ONLINE"
    rows = (
        ("accounts", "accounts",
         f"Accounts other than the {side}'s first seen with {words} before; at most 32 are known."),
        ("accounts_7d", "accounts", "Those of them first seen in the last 7 days."),
        ("taint", "accounts",
         "Those of them known as a mule's before; each halves in 30 days since it was known."),
    )  # fmt: skip
    return tuple(
        Feature(f"{link}_{name}", "links", unit, meaning, unknown) for name, unit, meaning in rows
    )


(ACCOUNTS, ACCOUNTS_7D, TAINT) = range(len(link_features("device")))
WIDTH = len(link_features("device"))
FEATURES = tuple(feature for link in LINKS for feature in link_features(link))


@compiled()
def compute(facts, seen, link, out):
    """Write one link's features: facts int64[:], link memory int64[:, 3], number of the link."""
    if link == _DEVICE and facts[f.CHANNEL] != _MOBILE and facts[f.CHANNEL] != _ONLINE:
        # A machine of the bank is seen with everybody.
        out[:] = np.nan
        return
    now = facts[f.TIME_MS]
    own = facts[f.PAYER_ID] if link < LINKS_OF_PAYER else facts[f.PAYEE_ID]
    accounts = accounts_7d = 0
    taint = 0.0
    for i in range(seen.shape[0]):
        age = now - seen[i, at.LINK_FIRST]
        if seen[i, at.LINK_ACCOUNT] == own or age <= 0:
            continue
        accounts += 1
        if age <= 7 * DAY_MS:
            accounts_7d += 1
        since = now - seen[i, at.LINK_MULE_SINCE]
        if seen[i, at.LINK_MULE_SINCE] > 0 and since > 0:
            taint += np.exp2(-since / _HALF_LIFE_MS)
    out[ACCOUNTS] = accounts
    out[ACCOUNTS_7D] = accounts_7d
    out[TAINT] = taint
