"""Shapes of a policy file, as people write it."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from fanzha.domain.vocabulary import Channel, CustomerSegment
from fanzha.file_shape import IsoDate, Shape, named
from fanzha.policy.prompts import PromptTopic

Words = Annotated[str, StringConstraints(min_length=1, max_length=400, strip_whitespace=True)]
Points = Annotated[int, Field(ge=1, le=1000)]
Hours = Annotated[int, Field(ge=1, le=72)]


class TextsShape(Shape):
    """Texts of a reason; without customer texts it is kept from the customer."""

    zh: Words = Field(description="the reason for staff, in Chinese")
    en: Words = Field(description="the reason for staff, in English")
    customer_zh: str = Field(default="", max_length=400)
    customer_en: str = Field(default="", max_length=400)


class ReasonShape(TextsShape):
    """A reason with its code."""

    code: str = Field(
        pattern=r"^[A-Z][A-Z0-9_]{2,63}$", description="upper snake case, such as PAYEE_NEW"
    )


class ThresholdsShape(Shape):
    """Points of the model's score from which a decision is at least as severe."""

    confirm_points: Points = Field(description="points from which to confirm, 1 to 1000")
    pause_points: Points = Field(description="points from which to pause, 1 to 1000")


class OverrideShape(ThresholdsShape):
    """Thresholds for a channel, a segment, or both."""

    channel: Annotated[Channel, named(Channel)] | None = None
    segment: Annotated[CustomerSegment, named(CustomerSegment)] | None = None


class ThresholdTableShape(Shape):
    """Default thresholds, and those that differ."""

    default: ThresholdsShape
    overrides: list[OverrideShape] = Field(default=[])


class ScoreReasonsShape(Shape):
    """Texts for the model's score."""

    confirm: TextsShape
    pause: TextsShape


class NoticeShape(Shape):
    """What is told with every restriction (反电信网络诈骗法 art. 32)."""

    general_cause_zh: Words = Field(description="said when no reason may be shown")
    general_cause_en: Words = Field(description="said when no reason may be shown")
    objection_zh: Words
    objection_en: Words
    documents_zh: list[Words] = Field(min_length=1, description="documents to bring")
    documents_en: list[Words] = Field(min_length=1, description="documents to bring")


class RuleShape(Shape):
    """One rule: it holds when all its atoms hold."""

    id: str = Field(pattern=r"^[a-z0-9-]{1,64}$", description="lower case, digits and hyphens")
    rule_class: Literal["hard", "statutory", "soft"] = Field(alias="class")
    action: Literal["confirm", "pause", "block"]
    atoms: list[Annotated[str, StringConstraints(min_length=1, max_length=300)]] = Field(
        alias="all", min_length=1, max_length=12, description="conditions in CEL, 1 to 12"
    )
    reason: ReasonShape
    owner: Words = Field(description="who answers for the rule")
    mode: Literal["live", "shadow", "off"]
    legal_basis: str = Field(default="", max_length=400)
    prompt_topic: Annotated[PromptTopic, named(PromptTopic)] | None = None
    hold_hours: Hours | None = Field(default=None, description="hours, 1 to 72")
    valid_from: IsoDate | None = Field(default=None, description="first day on which it counts")
    valid_until: IsoDate | None = Field(default=None, description="last day on which it counts")


class TypologyShape(Shape):
    """When the model's guess of the type of fraud chooses the words."""

    min_probability: float = Field(
        ge=0.2,
        le=1,
        description="probability from which the prompt speaks of a type that no rule names",
    )
    over_rules: float = Field(
        ge=0.2,
        le=1,
        description="probability from which its word counts above the rules",
    )


class ControlShareShape(Shape):
    """A share of those who would be asked to confirm, left unprompted to see what happens."""

    share: float = Field(gt=0, le=0.05, description="share of them, above 0 to 0.05")
    amount_max_minor: int = Field(ge=1, le=1_000_000, description="largest amount, minor units")
    points_max: Points = Field(description="highest score of any of the model's questions")
    valid_until: IsoDate = Field(description="last day on which it counts")
    proposed_by: Words = Field(description="who wants it")
    approved_by: Words = Field(description="who agrees: another person")


class GapAnswerShape(Shape):
    """A stricter answer for some channels, or from an amount on."""

    answer: Literal["confirm", "pause"]
    channels: list[Annotated[Channel, named(Channel)]] = Field(
        default=[], description="channels that it is for; all when left out"
    )
    amount_from_minor: int = Field(
        default=0, ge=0, le=10**15, description="smallest amount, in minor units; 0 for every one"
    )
    hold_hours: Hours | None = Field(default=None, description="hours, 1 to 72")


class GapShape(Shape):
    """What is answered at least while one part is missing."""

    default: Literal["allow", "confirm"] = Field(description="for what no case is about")
    cases: list[Any] = Field(default=[], description="stricter answers, read one by one")
    reason: TextsShape


class DegradedShape(Shape):
    """What is answered at least while parts are missing; the strictest counts."""

    payer_history: Any
    payee_history: Any
    lists: Any
    model: Any
    journal: Any


class PolicyShape(Shape):
    """The file's top; its parts are read one by one, so that all faults are found."""

    version: str = Field(pattern=r"^\S{1,64}$", description="1 to 64 characters without spaces")
    hold_hours: Hours = Field(description="hours that a PAUSE lasts unless a rule says otherwise")
    thresholds: Any
    score_reasons: Any
    essential_reason: Any = Field(description="said when an essential payment was spared a pause")
    notice: Any
    typology: Any = None
    control_share: Any = None
    degraded: Any = None
    rules: list[Any]
