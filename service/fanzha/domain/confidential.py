"""Words that a customer must never read.

That a report was made, or that the police asked, is confidential (反洗钱法 art. 35).
"""

import re
from typing import Final

CONFIDENTIAL: Final = re.compile(
    "公安|警方|警察|派出所|刑侦|涉案|可疑交易|反洗钱"
    "|police|law enforcement|suspicious transaction|money laundering"
    "|(?<![a-z])STRs?(?![a-z])",
    re.IGNORECASE,
)


def confidential_words(text: str) -> tuple[str, ...]:
    """Return the words in a text that point to police sources or to reports to the regulator."""
    return tuple(dict.fromkeys(match.group() for match in CONFIDENTIAL.finditer(text)))
