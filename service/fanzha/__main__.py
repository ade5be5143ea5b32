"""The command line: the commands of `fanzha`, one or one group a module of `commands`."""

import sys

import typer

from fanzha.commands.archive import archive
from fanzha.commands.audit import audit
from fanzha.commands.certs import certs
from fanzha.commands.kernel import kernel
from fanzha.commands.lists import lists
from fanzha.commands.mapping_check import mapping
from fanzha.commands.models import models
from fanzha.commands.policy import policy
from fanzha.commands.rekey import rekey
from fanzha.commands.replay_file import replay_file
from fanzha.commands.serve import serve
from fanzha.commands.state import state
from fanzha.commands.token_key import token_key
from fanzha.domain.errors import FanzhaError

app = typer.Typer(
    help="Fanzha (反诈): may this money leave?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(serve)
app.command()(archive)
app.command()(replay_file)
app.command()(kernel)
app.command()(rekey)
app.add_typer(audit, name="audit")
app.add_typer(lists, name="lists")
app.add_typer(certs, name="certs")
app.add_typer(mapping, name="mapping")
app.add_typer(models, name="models")
app.add_typer(token_key, name="token-key")
app.add_typer(policy, name="policy")
app.add_typer(state, name="state")


def main() -> None:
    """Run the command; an error that the user can mend is one clear message and exit code 1."""
    try:
        app()
    except FanzhaError as error:
        typer.echo(f"fanzha: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
