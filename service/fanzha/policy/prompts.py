"""Prompts: the words to show and say, by topic and channel, read from a versioned file."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from fanzha.checked_yaml import Document, read_document
from fanzha.domain.decision import Prompt, PromptText
from fanzha.domain.vocabulary import Channel, FraudType
from fanzha.file_shape import Shape, named

DEFAULT_PROMPTS: Final = Path(__file__).parent / "data" / "prompts.yaml"


class PromptTopic(Enum):
    """What a prompt speaks of: a type of fraud, or the situation of the transfer."""

    GENERAL = auto()
    TASK_REBATE = auto()
    FAKE_INVESTMENT = auto()
    FAKE_SHOPPING = auto()
    FAKE_CUSTOMER_SERVICE = auto()
    FAKE_LOAN = auto()
    FAKE_CREDIT_REPAIR = auto()
    IMPERSONATED_ACQUAINTANCE = auto()
    IMPERSONATED_AUTHORITY = auto()
    ROMANCE = auto()
    GAME_TRADE = auto()
    TICKET_REFUND = auto()
    SEXTORTION = auto()
    CASH_OR_GOLD_HANDOVER = auto()
    ACCOUNT_LENDING = auto()
    STATUTORY_DELAY = auto()
    PAYEE_INVOLVED = auto()
    PAYER_INVOLVED = auto()

    @property
    def fraud_type(self) -> FraudType:
        """The type of fraud; UNSPECIFIED for situations."""
        return FraudType.__members__.get(self.name, FraudType.UNSPECIFIED)


def topic_of(fraud_type: FraudType) -> PromptTopic:
    """Return the topic of a type of fraud; GENERAL for UNSPECIFIED."""
    return PromptTopic.__members__.get(fraud_type.name, PromptTopic.GENERAL)


def _text(most: int) -> StringConstraints:
    return StringConstraints(min_length=1, max_length=most, strip_whitespace=True)


class _TextShape(Shape):
    body: Annotated[str, _text(400)]
    voice: Annotated[str, _text(300)]
    questions: list[Annotated[str, _text(100)]] = Field(
        max_length=3, description="questions to ask, at most three"
    )


class _ChineseShape(_TextShape):
    headline: Annotated[str, _text(30)] = Field(description="1 to 30 characters, for large type")


class _EnglishShape(_TextShape):
    headline: Annotated[str, _text(80)] = Field(description="1 to 80 characters, for large type")


class _TextsShape(Shape):
    zh: _ChineseShape = Field(alias="zh-CN")
    en: _EnglishShape


class _PromptShape(Shape):
    id: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    topic: Annotated[PromptTopic, named(PromptTopic)]
    channels: list[Annotated[Channel, named(Channel)]] = Field(
        default=[], description="channels that these words are for; all when left out"
    )
    texts: _TextsShape


class _CatalogueShape(Shape):
    version: str = Field(pattern=r"^\S{1,64}$", description="1 to 64 characters without spaces")
    prompts: list[object]


@dataclass(frozen=True, slots=True)
class PromptCatalogue:
    """All prompts of one version."""

    version: str
    prompts: Mapping[tuple[PromptTopic, Channel], Prompt]
    """Every topic on every channel has an entry."""

    def find(self, topic: PromptTopic, channel: Channel) -> Prompt:
        """Return the words for a topic on a channel, or the general ones when it has none."""
        return self.prompts[topic, channel]


def load_prompts(path: Path = DEFAULT_PROMPTS, content: bytes | None = None) -> PromptCatalogue:
    """Read a prompt catalogue.

    Args:
        path: the file.
        content: what was read of the file already; None: it is read now.

    Raises:
        FileRefusedError: the file has faults; names all of them with line and column.

    """
    document = read_document(path, content)
    header = document.parse(_CatalogueShape)
    version = "" if header is None else header.version
    stated: dict[tuple[PromptTopic, Channel], Prompt] = {}
    ids: set[str] = set()
    for index in range(document.count("prompts")):
        loc = ("prompts", index)
        shape = document.parse(_PromptShape, *loc)
        if shape is None:
            continue
        if len(shape.texts.zh.questions) != len(shape.texts.en.questions):
            document.fault(
                (*loc, "texts", "en", "questions"),
                "zh-CN and en ask different numbers of questions; translate each one",
            )
        if shape.id in ids:
            document.fault((*loc, "id"), f"id {shape.id} is there twice; ids are unique")
        ids.add(shape.id)
        for channel in shape.channels or (Channel.UNSPECIFIED,):
            if (shape.topic, channel) in stated:
                where = channel.name if channel else "all channels"
                text = f"{shape.topic.name} has words for {where} already; keep one"
                document.fault((*loc, "topic"), text)
            stated[shape.topic, channel] = _prompt(shape, version)
    if not _has_general(document):
        text = "prompts has no general words; add a prompt with topic GENERAL and no channels"
        document.fault(("prompts",), text, on_key=True)
    document.refuse_if_faulty()
    return PromptCatalogue(version, _spread(stated))


def _has_general(document: Document) -> bool:
    """Say whether general words for all channels are there, sound or not."""
    places = (("prompts", index) for index in range(document.count("prompts")))
    return any(
        document.at(*place, "topic") == "GENERAL" and not document.count(*place, "channels")
        for place in places
    )


def _prompt(shape: _PromptShape, version: str) -> Prompt:
    languages: tuple[tuple[str, _ChineseShape | _EnglishShape], ...] = (
        ("zh-CN", shape.texts.zh),
        ("en", shape.texts.en),
    )
    texts = tuple(
        PromptText(language, text.headline, text.body, text.voice, tuple(text.questions))
        for language, text in languages
    )
    return Prompt(shape.id, version, shape.topic.fraud_type, texts)


def _spread(
    stated: Mapping[tuple[PromptTopic, Channel], Prompt],
) -> dict[tuple[PromptTopic, Channel], Prompt]:
    """Return an entry for every topic and channel, the closest one that is stated."""
    spread = {}
    for topic in PromptTopic:
        for channel in Channel:
            wishes = (
                (topic, channel),
                (topic, Channel.UNSPECIFIED),
                (PromptTopic.GENERAL, channel),
                (PromptTopic.GENERAL, Channel.UNSPECIFIED),
            )
            spread[topic, channel] = next(stated[wish] for wish in wishes if wish in stated)
    return spread
