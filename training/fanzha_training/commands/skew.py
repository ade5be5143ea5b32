"""`fanzha-training skew`: compares served vectors with those that the archive's changes give."""

from pathlib import Path
from typing import Annotated

import typer

from fanzha_training.building.archive_source import read_archive
from fanzha_training.commands.console import AsJson, show, stages
from fanzha_training.skew import compare, report_of

DIFFERENT = 3
"""Exit code when a vector differs; 1 and 2 are errors."""


def skew(
    *,
    archive: Annotated[Path, typer.Option(help="Folder of a service's archive.")],
    as_json: AsJson = False,
) -> None:
    """Compute every served vector again and report each difference. None is expected.

    Exits with 0 if all are equal to the last bit, with 3 if one is not.
    """
    with stages() as say:
        say("reading the archive")
        read = read_archive(archive)
        say("computing the vectors again")
        found = report_of(compare(read))
    if as_json:
        show(found, as_json=True)
    else:
        examples = found.pop("examples")
        show(found, as_json=False)
        for example in examples:
            typer.echo(f"decision {example['decision_id']} at {example['create_time']}:")
            for name, (served, recomputed) in example["served_and_recomputed"].items():
                typer.echo(f"  {name}: served {served}, recomputed {recomputed}")
    if found["differences"]:
        raise typer.Exit(DIFFERENT)
