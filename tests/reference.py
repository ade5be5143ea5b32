"""Writes the tables of docs/reference from the code that they describe; `make reference` runs it.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; all else is written by hand.
"""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from types import UnionType
from typing import Any, Literal, cast, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from tests.call_budget import BUDGET, STEPS, limits
from tests.feature_codes import codes_of
from tests.feature_example import example

from fanzha.__main__ import app
from fanzha.access.clients import ClientShape, KeyShape, TokensShape
from fanzha.access.roles import ROLE_MEANINGS, Role
from fanzha.checked_yaml import read_document
from fanzha.commands.policy_degraded import in_words
from fanzha.domain.outcomes import MEANINGS, WEIGHTS
from fanzha.domain.vocabulary import Answer, Channel, OutcomeSource, Strength, word_of, words_of
from fanzha.explain.figures import FORMS
from fanzha.explain.texts import DEFAULT_TEXTS, load_reason_texts
from fanzha.features.manifest import FEATURES
from fanzha.mapping.fields import VOCABULARIES, form_of
from fanzha.mapping.mapping import Columns, Label, Mapping
from fanzha.mapping.sources import (
    AmountSource,
    Choice,
    CodeSource,
    DateSource,
    FlagSource,
    TextSource,
    TimeSource,
)
from fanzha.policy.degraded import steps
from fanzha.policy.fact import CONTEXT_FAMILIES, FactType
from fanzha.policy.facts import FACTS
from fanzha.policy.load import DEFAULT_POLICY, load_policy
from fanzha.policy.prompts import DEFAULT_PROMPTS
from fanzha.settings import Settings
from fanzha.transport.authorise import OPEN_METHODS, REQUIRED_ROLES
from fanzha_training.drift.limits import Limits
from fanzha_training.drift.metrics_file import METRICS

DOCS = Path(__file__).parents[1] / "docs"
FOLDER = DOCS / "reference"
PAGES = sorted([*FOLDER.glob("*.md"), *(DOCS / "operations").glob("*.md")])
_TABLE = re.compile(r"(<!-- table: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_UNKNOWN = {FactType.BOOL: "false", FactType.DOUBLE: "NaN", FactType.STRING: "empty"}


def features() -> str:
    """Return the table of features, in the order of the vector."""
    values = example()
    rows = (
        (
            *(str(place), code(x.name), x.family, x.unit),
            f"{x.meaning} {codes}." if (codes := codes_of(x.name)) else x.meaning,
            *(x.unknown, values[x.name]),
        )
        for place, x in enumerate(FEATURES)
    )
    return table("place,name,family,unit,meaning,unknown (NaN) when,example", rows)


def ablation() -> str:
    """Return the table of what each family adds, from the figures of `make ablation`."""
    found = json.loads((FOLDER / "ablation.json").read_text("utf-8"))
    rows = [
        (
            family,
            str(figures["features"]),
            f"{-figures['lost_without']['mean']:+.3f}",
            f"{-figures['lost_without']['most']:+.3f} to {-figures['lost_without']['least']:+.3f}",
            f"{figures['alone']['mean']:.3f}",
        )
        for family, figures in found["families"].items()
    ]
    every = found["all"]
    rows.append(
        ("all", str(every["features"]), "", "", f"{every['average_precision']['mean']:.3f}")
    )
    return table("family,features,without it,least and most,alone", rows)


def settings() -> str:
    """Return the table of settings, in the order of the class."""
    command: Any = typer.main.get_command(app)
    options = {option.name: option.opts[0] for option in command.commands["serve"].params}
    rows = (
        (
            code(f"FANZHA_{name.upper()}"),
            code(options[name]) if name in options else "",
            default(field.default),
            allowed(field),
            " ".join((field.description or "").split()),
        )
        for name, field in Settings.model_fields.items()
    )
    return table("variable,option of `fanzha serve`,default,allowed,meaning", rows)


def default(value: object) -> str:
    """Return a default as it would be written, empty when there is none."""
    if value is None or value == "":
        return ""
    return code(str(value).lower() if isinstance(value, bool) else str(value))


def allowed(field: Any) -> str:
    """Return what a setting may be, empty where its meaning says it."""
    if get_origin(field.annotation) is Literal:
        return ", ".join(code(word) for word in get_args(field.annotation))
    if field.annotation is bool:
        return "`true`, `false`"
    bounds = (getattr(part, key, None) for part in field.metadata for key in ("ge", "le"))
    return " to ".join(f"{bound:,}" for bound in bounds if bound is not None)


def facts() -> str:
    """Return the table of facts that rules may name."""
    rows = (
        (
            code(fact.name),
            fact.family.value + (" (context)" if fact.family in CONTEXT_FAMILIES else ""),
            fact.type.value.lower(),
            fact.meaning,
            fact.unknown,
            "" if fact.unknown == "never" else _UNKNOWN[fact.type],
        )
        for fact in FACTS
    )
    return table("fact,family,type,meaning,unknown when,a rule then sees", rows)


def rules() -> str:
    """Return the table of the shipped rules, in the order of the file."""
    rows = (
        (
            code(rule["id"]),
            f"{rule['class']} {rule['action']}",
            rule["mode"],
            "<br>".join(code(atom) for atom in rule["all"]),
            code(rule["reason"]["code"]),
            rule.get("legal_basis", ""),
        )
        for rule in read_document(DEFAULT_POLICY).data["rules"]
    )
    return table("rule,class and action,mode,holds when all of,reason,law", rows)


def thresholds() -> str:
    """Return the table of the shipped thresholds."""
    stated = read_document(DEFAULT_POLICY).data["thresholds"]
    overrides = [
        (override.get("channel", "any"), override.get("segment", "any"), *points(override))
        for override in stated["overrides"]
    ]
    rows = [("any", "any", *points(stated["default"])), *overrides]
    return table("channel,segment,CONFIRM from,PAUSE from", rows)


def points(stated: dict[str, Any]) -> tuple[str, str]:
    """Return the two lines of a threshold."""
    return str(stated["confirm_points"]), str(stated["pause_points"])


def prompts() -> str:
    """Return the table of the shipped prompts."""
    rows = (
        (
            code(prompt["id"]),
            code(prompt["topic"]),
            ", ".join(prompt.get("channels", ["all"])),
            prompt["texts"]["zh-CN"]["headline"],
            prompt["texts"]["en"]["headline"],
        )
        for prompt in read_document(DEFAULT_PROMPTS).data["prompts"]
    )
    return table("prompt,topic,channels,headline,in English", rows)


def degraded() -> str:
    """Return the table of what is answered at least while a part is missing."""
    rows = []
    for part, rule in load_policy().gaps.items():
        said: dict[str, list[str]] = {}
        for channel in list(Channel)[1:]:
            words = "; ".join(in_words(step) for step in steps(rule, channel))
            said.setdefault(words, []).append(word_of(channel))
        rows += [(code(part.name), ", ".join(channels), words) for words, channels in said.items()]
    return table("missing,channels,answered at least", rows)


def outcomes() -> str:
    """Return the table of outcomes: what each says, and how firm it is from whom."""
    sources = [source for source in OutcomeSource if source]
    rows = [
        (
            code(word_of(kind)),
            said_as(meaning.deceived),
            said_as(meaning.mule),
            *(
                word_of(meaning.strengths[source]).replace("unspecified", "says nothing")
                if source in meaning.strengths
                else ""
                for source in sources
            ),
        )
        for kind, meaning in MEANINGS.items()
    ]
    heads = ("outcome", "payer deceived", "payee's account a mule's", *map(word_of, sources))
    return table(",".join(heads), rows)


def said_as(answer: Answer) -> str:
    """Return an answer's word, empty for nothing."""
    return word_of(answer) if answer else ""


def outcome_weights() -> str:
    """Return the table of strengths, the firmest first."""
    rows = [
        (code(word_of(strength)), f"{WEIGHTS[strength]:g}" if strength in WEIGHTS else "no label")
        for strength in sorted(Strength, reverse=True)
        if strength
    ]
    return table("strength,weight of its label", rows)


def reason_groups() -> str:
    """Return the table of the model's reasons, in the order of the file."""
    rows = (
        (
            code(group.code),
            group.meaning,
            ", ".join(code(FEATURES[feature].name) for feature in group.features),
        )
        for group in load_reason_texts().groups
    )
    return table("code,meaning,features whose contributions count", rows)


def reason_statements() -> str:
    """Return the table of all statements of the model's reasons, in the order of the file."""
    rows = (
        (
            code(group["code"]),
            "<br>".join(code(source) for source in statement["when"]),
            "<br>".join(code(source) for source in statement.get("given", ())),
            group.get("lead_zh", "") + statement["zh"],
            ": ".join(filter(None, (group.get("lead_en", ""), statement["en"]))),
            statement.get("customer_zh", ""),
        )
        for group in read_document(DEFAULT_TEXTS).data["groups"]
        for statement in group["statements"]
    )
    return table("reason,told when,and given,for staff,in English,for the customer", rows)


def reason_forms() -> str:
    """Return the table of forms in which texts show values."""
    rows = (
        (code(name), ", ".join(sorted(form.units)), form.zh(value, unit), form.en(value, unit))
        for name, form in FORMS.items()
        for unit, value in [(min(form.units), _SHOWN.get(name, 2.0))]
    )
    return table("form,for features in,in Chinese,in English", rows)


_SHOWN = {"money": 1_980_000.0, "percent": 0.98, "times": 7.92, "clock": 14.5, "span": 12 / 1440}


def mapping_fields() -> str:
    """Return the table of fields that a mapping may fill."""
    rows = []
    for name, declared in Columns.model_fields.items():
        source = source_of(declared)
        if name in VOCABULARIES:
            holds = ", ".join(code(word) for word in words_of(VOCABULARIES[name]))
        else:
            holds = HOLDS.get(source) or form_of(name).rule.removeprefix("must be ").removeprefix(
                "must be "
            )
        shape = source.__name__.partition("[")[0].removesuffix("Source").lower()
        rows.append((code(name), "required" if declared.is_required() else "", shape, holds))
    return table("field,,source,holds", rows)


HOLDS: dict[type, str] = {
    TimeSource: "when the customer asked",
    AmountSource: "an amount of money; from 1 minor unit, balances from 0",
    CodeSource: "ISO 4217 code; the base currency without it",
    FlagSource: "yes or no",
    DateSource: "a calendar date",
}


def source_of(declared: FieldInfo) -> type[BaseModel]:
    """Return the shape of a field's source."""
    found: Any = declared.annotation
    if get_origin(found) is not None or isinstance(found, UnionType):
        found = get_args(found)[0]
    return cast("type[BaseModel]", found)


def mapping_sources() -> str:
    """Return the table of all options of sources."""
    shapes = (TextSource, Choice, FlagSource, AmountSource, DateSource, TimeSource, CodeSource)
    rows = [
        (
            shape.__name__.removesuffix("Source").lower(),
            code(name),
            "required" if option.is_required() else default_of(option),
            option.description or "",
        )
        for shape in shapes
        for name, option in shape.model_fields.items()
    ]
    return table("source,key,default,meaning", rows)


def mapping_file() -> str:
    """Return the table of a mapping's other keys."""
    rows = [
        (
            code(prefix + name),
            "required" if option.is_required() else default_of(option),
            option.description or "",
        )
        for prefix, shape in (("", Mapping), ("label.", Label))
        for name, option in shape.model_fields.items()
        if name not in ("columns", "label")
    ]
    return table("key,default,meaning", rows)


def drift_limits() -> str:
    """Return the table of the limits of drift."""
    rows = []
    for name, option in Limits.model_fields.items():
        pair = option.default if isinstance(option.default, BaseModel) else None
        warn, alarm = (f"{getattr(pair, key):g}" for key in ("warn", "alarm")) if pair else ("", "")
        only = "" if pair or option.default == {} else f"{option.default:g}"
        rows.append((code(name), only, warn, alarm, option.description or ""))
    return table("key,default,warn,alarm,meaning", rows)


def drift_metrics() -> str:
    """Return the table of the metrics of drift."""
    rows = ((code(name), ", ".join(labels), text) for name, (labels, text) in METRICS.items())
    return table("metric,labels,meaning", rows)


def default_of(option: FieldInfo) -> str:
    """Return an option's default as a file writes it, empty when there is none."""
    return "" if option.default in (None, {}, [], "") else default(option.default)


def code(text: str) -> str:
    """Return a text as Markdown code."""
    return f"`{text}`"


def table(heads: str, rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table; a bar within a cell is escaped."""
    names = heads.split(",")
    lines = [names, ["---"] * len(names), *rows]
    cells = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def roles() -> str:
    """Return the table of roles."""
    return table("role,who", ((code(role), ROLE_MEANINGS[role]) for role in Role))


def rpcs() -> str:
    """Return the table of RPCs and the roles that may call them."""
    rows = (
        (code(method.rpartition(".")[2]), *(("yes" if role in needed else "") for role in Role))
        for method, needed in REQUIRED_ROLES.items()
    )
    return table(",".join(["RPC", *Role]), rows)


def open_rpcs() -> str:
    """Return the table of RPCs that need no role."""
    return table("RPC,tells", ((code(name), text) for name, text in OPEN_METHODS.items()))


def roles_file() -> str:
    """Return the table of keys of a roles file."""
    rows = [
        (
            code(prefix + name),
            "required" if option.is_required() else default_of(option),
            option.description or "",
        )
        for prefix, shape in (
            ("clients[].", ClientShape),
            ("tokens.", TokensShape),
            ("tokens.keys[].", KeyShape),
        )
        for name, option in shape.model_fields.items()
    ]
    return table("key,default,meaning", rows)


def call_budget() -> str:
    """Return the table of calls that each step may make."""
    alone, together = BUDGET.values()
    rows = [
        (
            step,
            ", ".join(code(function.__qualname__) for function in STEPS.get(step, ())),
            *(f"{BUDGET[wave][step]} ({least} to {most})"
              for wave in BUDGET for least, most in [limits(wave, step)]),
        )
        for step in alone
    ]  # fmt: skip
    rows.append(("all", "", str(sum(alone.values())), str(sum(together.values()))))
    return table("step,begins in,alone,in a wave of 32", rows)


TABLES: dict[str, Callable[[], str]] = {
    "features": features,
    "ablation": ablation,
    "settings": settings,
    "facts": facts,
    "rules": rules,
    "thresholds": thresholds,
    "prompts": prompts,
    "outcomes": outcomes,
    "outcome weights": outcome_weights,
    "reason groups": reason_groups,
    "reason statements": reason_statements,
    "reason forms": reason_forms,
    "mapping fields": mapping_fields,
    "mapping sources": mapping_sources,
    "mapping file": mapping_file,
    "drift limits": drift_limits,
    "drift metrics": drift_metrics,
    "roles": roles,
    "rpcs": rpcs,
    "open rpcs": open_rpcs,
    "degraded": degraded,
    "roles file": roles_file,
    "call budget": call_budget,
}


def fresh(text: str) -> str:
    """Return a document with its tables made anew."""
    return _TABLE.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], text)


def tables_of(text: str) -> list[str]:
    """Return the names of a document's tables."""
    return [found[2] for found in _TABLE.finditer(text)]


if __name__ == "__main__":
    for document in PAGES:
        document.write_text(fresh(document.read_text("utf-8")), "utf-8")
