"""What the kernel and the model say about one transfer."""

from fanzha.domain.decision import Score
from fanzha.domain.light import light_dataclass


@light_dataclass(frozen=True, slots=True)
class Scored:
    """Input and output of the kernel, and the model's score.

    `facts` (int64) and `vector` (float32) are little endian, in the orders of
    `fanzha.features.facts` and `fanzha.features.manifest`.
    """

    facts: bytes
    vector: bytes
    score: Score | None
    """None: no model could score."""
