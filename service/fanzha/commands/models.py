"""`fanzha models`: who decides, who may, and how that changes."""

import typer

from fanzha.commands.models_change import key, promote, rollback, shadow, sign
from fanzha.commands.models_show import list_models, show

models = typer.Typer(help="Models: list, show, shadow, promote, roll back.", no_args_is_help=True)
models.command("list")(list_models)
models.command()(show)
models.command()(shadow)
models.command()(promote)
models.command()(rollback)
models.command()(sign)
models.command()(key)
