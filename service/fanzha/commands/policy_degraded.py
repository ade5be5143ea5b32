"""`fanzha policy degraded`: what is answered at least while a part is missing."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from fanzha.domain.vocabulary import Channel, DecisionKind, word_of
from fanzha.policy.degraded import GapAnswer, steps
from fanzha.policy.load import DEFAULT_POLICY, load_policy

_HOUR_MS = 3_600_000


def degraded(
    file: Annotated[
        Path | None, typer.Option("--policy", help="Policy file; else the one that comes with it.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Show what is answered at least while history, lists, model or journal are missing."""
    loaded = load_policy(file or DEFAULT_POLICY)
    if as_json:
        told = [
            {"missing": word_of(part), "channel": word_of(channel), **_as_json(step)}
            for part, rule in loaded.gaps.items()
            for channel in list(Channel)[1:]
            for step in steps(rule, channel)
        ]
        typer.echo(json.dumps({"policy": loaded.version, "answers": told}))
        return
    table = Table("missing", "channel", "answered at least", title=f"policy {loaded.version}")
    for part, rule in loaded.gaps.items():
        for channel in list(Channel)[1:]:
            said = "; ".join(in_words(step) for step in steps(rule, channel))
            table.add_row(word_of(part), word_of(channel), said)
    if loaded.gaps:
        Console().print(table)
    else:
        typer.echo(
            f"policy {loaded.version} has no section degraded: what is missing changes no answer, "
            "and is named in it"
        )


def in_words(step: GapAnswer) -> str:
    """Return one answer in words; amounts are in major units of the base currency."""
    said = step.answer.name
    if step.answer == DecisionKind.PAUSE:
        said += f" for {step.hold_ms // _HOUR_MS} h"
    return f"from {step.amount_from_minor / 100:,.0f}: {said}" if step.amount_from_minor else said


def _as_json(step: GapAnswer) -> dict[str, object]:
    return {
        "amount_from_minor": step.amount_from_minor,
        "answer": step.answer.name,
        "hold_ms": step.hold_ms,
    }
