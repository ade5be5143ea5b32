"""The answer: a decision that a teller can explain and an auditor can rebuild."""

from fanzha.domain.light import light_dataclass
from fanzha.domain.vocabulary import AlertLevel, DecisionKind, DegradedPart, FraudType

ALERT_LEVEL = {
    DecisionKind.ALLOW: AlertLevel.NONE,
    DecisionKind.CONFIRM: AlertLevel.BLUE,
    DecisionKind.PAUSE: AlertLevel.YELLOW,
    DecisionKind.BLOCK: AlertLevel.RED,
}


@light_dataclass(frozen=True, slots=True)
class HeadScore:
    """The answer to one of the model's questions.

    `margin` is the model's raw output (log-odds before calibration), `probability` the calibrated
    probability at the true base rate, 0 to 1, `points` the score shown, 0 to 1000.
    """

    margin: float
    probability: float
    points: int


@light_dataclass(frozen=True, slots=True)
class Score:
    """What the model says.

    `margin`, `probability` and `points` (see `HeadScore`) say whether the payer is being deceived.
    """

    margin: float
    probability: float
    points: int
    model_version: str
    payee_mule: HeadScore | None = None
    """Whether the payee's account is a mule's; None: the model cannot tell, or there is none."""
    payer_mule: HeadScore | None = None
    """Whether the payer's account is a mule's; None: the model cannot tell."""


@light_dataclass(frozen=True, slots=True)
class FraudTypeGuess:
    """If the transfer is fraud, how probable this type is, 0 to 1."""

    fraud_type: FraudType
    probability: float


@light_dataclass(frozen=True, slots=True)
class Reason:
    """One reason. An empty customer text keeps the reason from the customer."""

    code: str
    text_zh: str
    text_en: str
    customer_zh: str = ""
    customer_en: str = ""


@light_dataclass(frozen=True, slots=True)
class PromptText:
    """A prompt's words in one language (BCP 47: "zh-CN" or "en"); at most three questions."""

    language: str
    headline: str
    body: str
    voice: str
    questions: tuple[str, ...]


@light_dataclass(frozen=True, slots=True)
class Prompt:
    """The words to show and say, by fraud type and channel."""

    prompt_id: str
    version: str
    fraud_type: FraudType
    texts: tuple[PromptText, ...]


@light_dataclass(frozen=True, slots=True)
class Notice:
    """What must be told with every restriction (反电信网络诈骗法 art. 32)."""

    case_id: str
    cause_zh: str
    cause_en: str
    objection_zh: str
    objection_en: str
    documents_zh: tuple[str, ...]
    documents_en: tuple[str, ...]


@light_dataclass(frozen=True, slots=True)
class Versions:
    """What the decision stands on. Empty: the part was missing."""

    model: str
    policy: str
    lists: str
    service: str


@light_dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one attempt. Times are milliseconds since 1970 UTC."""

    decision_id: str
    request_id: str
    transfer_id: str
    kind: DecisionKind
    score: Score | None
    reasons: tuple[Reason, ...]
    """In order of precedence: hard evidence, statutory rules, soft rules by severity and then by
    their order in the policy, the model's score, and what the model's score rests on."""
    prompt: Prompt | None
    notice: Notice | None
    hold_until_ms: int | None
    versions: Versions
    degraded: tuple[DegradedPart, ...]
    decide_time_ms: int
    earlier_decision_id: str = ""
    fraud_types: tuple[FraudTypeGuess, ...] = ()
    """The likeliest types, the likeliest first; empty for ALLOW and without a model of types."""
    in_control_share: bool = False
    """Whether it would have been CONFIRM and was left unprompted, to see what happens then."""

    @property
    def alert_level(self) -> AlertLevel:
        """The alert level that belongs to the decision."""
        return ALERT_LEVEL[self.kind]
