"""`fanzha models list` and `show`: which models there are, and what is known of one."""

import json
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from fanzha.commands.models_options import AsJson, Folder, KeysFolder, Label, Place, place_of
from fanzha.domain.errors import RegistryRefusedError, SetupError
from fanzha.registry.overview import Overview, overview_of


def list_models(
    folder: Folder = None, keys_folder: KeysFolder = None, *, as_json: AsJson = False
) -> None:
    """List all versions: state, who signed, what was said last, and why a worker would refuse.

    Every model is loaded as a worker would load it. Exits with 1 if the registry does not count.
    """
    found = _look(place_of(folder, keys_folder))
    if as_json:
        typer.echo(json.dumps(found.as_json(), ensure_ascii=False))
    else:
        _print_list(found)
    if found.refused:
        raise RegistryRefusedError(f"the registry does not count: {found.refused}")


def show(
    label: Label, folder: Folder = None, keys_folder: KeysFolder = None, *, as_json: AsJson = False
) -> None:
    """Show one version: state, signature, every statement about it, and the gate's figures."""
    found = _look(place_of(folder, keys_folder))
    model = next((each for each in found.models if each["model"] == label), None)
    if model is None:
        known = ", ".join(each["model"] for each in found.models)
        raise SetupError(f"there is no model {label}; there are: {known or 'none'}")
    if as_json:
        registry = {"champion": found.standing.champion_label or None}
        typer.echo(json.dumps({**model, **registry}, ensure_ascii=False))
    else:
        _print_one(model)
    if found.refused:
        raise RegistryRefusedError(f"the registry does not count: {found.refused}")


def _look(place: Place) -> Overview:
    with Console(stderr=True).status("loading every model as a worker would"):
        return overview_of(place.models, place.keys, place.load)


def _print_list(found: Overview) -> None:
    grid = Table("model", "state", "signed by", "last said", box=None, pad_edge=False)
    for model in found.models:
        last = model["statements"][-1] if model["statements"] else None
        said = f"{last['time']} {last['action']} by {last['by']}" if last else ""
        grid.add_row(model["model"], model["state"], model["signed_by"], said)
    console = Console(soft_wrap=True)
    console.print(grid)
    for model in found.models:
        if model["refused"]:
            console.print(f"{model['model']} would be refused: {model['refused']}", markup=False)


def _print_one(model: dict[str, Any]) -> None:
    console = Console(soft_wrap=True)
    facts = Table(show_header=False, box=None, pad_edge=False)
    facts.add_row("model", model["model"])
    facts.add_row("state", model["state"])
    facts.add_row("signed by", model["signed_by"] or "nobody")
    facts.add_row("would be refused", model["refused"] or "no")
    console.print(facts)
    if model["statements"]:
        said = Table("no.", "time", "action", "by", "over", "reason", box=None, pad_edge=False)
        for each in model["statements"]:
            said.add_row(
                str(each["number"]), each["time"], each["action"], each["by"],
                each["champion_before"] or "no model", each["reason"],
            )  # fmt: skip
        console.print(said)
    proposed = [each["gate"] for each in model["statements"] if "gate" in each]
    if proposed:
        _print_gate(console, proposed[-1])


def _print_gate(console: Console, gate: dict[str, Any]) -> None:
    against = gate["champion"] or "no champion"
    checks = Table("check", "candidate", against, "limit", box=None, pad_edge=False)
    for check in gate["checks"]:
        checks.add_row(
            str(check["name"]), _text(check["candidate"]), _text(check["champion"]), check["limit"]
        )
    console.print(checks)


def _text(figure: float | str | None) -> str:
    if figure is None:
        return ""
    return f"{figure:.4g}" if isinstance(figure, float) else str(figure)
