"""`fanzha lists`: the group of commands that change watchlists."""

import typer

from fanzha.commands.lists_import import import_lists
from fanzha.commands.lists_propose import approve, proposals, propose, reject

lists = typer.Typer(help="Watchlists and the registry of verified billers.", no_args_is_help=True)
lists.command("propose")(propose)
lists.command("approve")(approve)
lists.command("reject")(reject)
lists.command("proposals")(proposals)
lists.command("import")(import_lists)
