"""Entry of the command `fanzha-training`."""

import sys

import typer

from fanzha.domain.errors import SetupError
from fanzha_training.commands.ablate import ablate_families
from fanzha_training.commands.benchmark import benchmark
from fanzha_training.commands.build import build
from fanzha_training.commands.drift import drift
from fanzha_training.commands.evaluate import evaluate
from fanzha_training.commands.export import export
from fanzha_training.commands.gate import gate
from fanzha_training.commands.shadow_report import shadow_report
from fanzha_training.commands.simulate import simulate
from fanzha_training.commands.skew import skew
from fanzha_training.commands.train import train

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Simulate, build, train, evaluate and export what Fanzha scores with.",
)


commands = (simulate, build, train, evaluate, export, gate, skew, shadow_report, drift, benchmark)
for command in commands:
    app.command()(command)
app.command("ablate")(ablate_families)


def main() -> None:
    """Run a command; exit 2 with cause and remedy where it cannot start."""
    try:
        app()
    except SetupError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
