"""`fanzha-training drift`: compares what was served with what the models were trained on."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from fanzha.domain.errors import SetupError
from fanzha.mapping.sources import is_zone
from fanzha_training.atomic import replaced_file
from fanzha_training.commands.console import AsJson, show, stages
from fanzha_training.drift.check import State
from fanzha_training.drift.found import Drift
from fanzha_training.drift.limits import load_limits
from fanzha_training.drift.measure import measure
from fanzha_training.drift.metrics_file import write_metrics
from fanzha_training.drift.models import OneModel, References, load_one
from fanzha_training.drift.options import Options
from fanzha_training.drift.page import write_drift_page
from fanzha_training.drift.summary import summary_of
from fanzha_training.drift.thresholds import load_lines
from fanzha_training.trained import json_text

ALARM = 3
"""Exit code when a check alarms; 1 and 2 are errors."""

PAGE_FILE = "index.html"
SUMMARY_FILE = "drift.json"
_DAYS_MAX = 366
_SHOWN_MAX = 20

_Archive = Annotated[Path, typer.Option(help="Folder of a service's archive.")]
_Models = Annotated[
    Path | None, typer.Option(help="Folder of the models; each decision meets its own model's.")
]
_Model = Annotated[
    Path | None, typer.Option(help="Folder of one exported model, to compare all decisions with.")
]
_Day = Annotated[
    str | None, typer.Option(help="Last day to compare, YYYY-MM-DD. [yesterday in the zone]")
]
_Days = Annotated[int, typer.Option(help="How many days to compare, the last one included.")]
_Zone = Annotated[str, typer.Option(help="The bank's time zone, an IANA name.")]
_Delay = Annotated[
    float, typer.Option(help="Age in days at which a transfer without report counts as legitimate.")
]
_Policy = Annotated[
    Path | None, typer.Option(help="Policy file with the thresholds. [the one of the service]")
]
_LimitsFile = Annotated[
    Path | None, typer.Option(help="YAML file of limits; see docs/reference/drift.md.")
]
_NoSkew = Annotated[
    bool, typer.Option("--no-skew", help="Do not compute vectors again; it takes longest.")
]
_Out = Annotated[
    Path | None, typer.Option(help=f"Folder to write {PAGE_FILE} and {SUMMARY_FILE} to.")
]
_Metrics = Annotated[
    Path | None, typer.Option(help="File of metrics to write, such as fanzha_drift.prom.")
]


def drift(
    *,
    archive: _Archive,
    models: _Models = None,
    model: _Model = None,
    day: _Day = None,
    days: _Days = 1,
    zone: _Zone = "Asia/Shanghai",
    label_delay_days: _Delay = 7.0,
    policy: _Policy = None,
    limits: _LimitsFile = None,
    no_skew: _NoSkew = False,
    out: _Out = None,
    metrics: _Metrics = None,
    as_json: AsJson = False,
) -> None:
    """Compare days of an archive with the references of the models that decided.

    Features, missing values, points, alerts and matured labels; and every served vector is computed
    again. Give --models or --model. Exits with 3 if a check alarms, with 0 if none does.
    """
    _check(days, label_delay_days, zone)
    now = datetime.now(UTC)
    last_day = _last_day(day, now, ZoneInfo(zone))
    options = Options(
        archive=archive,
        first_day=last_day - timedelta(days=days - 1),
        last_day=last_day,
        zone=ZoneInfo(zone),
        label_delay_days=label_delay_days,
        lines=load_lines(policy),
        limits=load_limits(limits),
        against=_against(models, model),
        skew=not no_skew,
    )
    with stages() as say:
        found = measure(options, say)
        summary = summary_of(found, options)
        say("writing")
        if metrics is not None:
            write_metrics(metrics, found, now)
        if out is not None:
            write_drift_page(out / PAGE_FILE, found, options)
            with replaced_file(out / SUMMARY_FILE, "choose another folder with --out") as draft:
                draft.write_text(json_text(summary), encoding="utf-8")
    if as_json:
        show(summary, as_json=True)
    else:
        _tell(found, out)
    if found.state is State.ALARM:
        raise typer.Exit(ALARM)


def _tell(found: Drift, out: Path | None) -> None:
    findings = found.findings()
    for each in findings[:_SHOWN_MAX]:
        name = " ".join(filter(None, (each.check.check, each.check.subject, each.model)))
        more = f" (worst of {each.days} days)" if each.days > 1 else ""
        typer.echo(f"{each.check.state.value:<12} {each.day} {name}: {each.check.text}{more}")
    if len(findings) > _SHOWN_MAX:
        typer.echo(f"and {len(findings) - _SHOWN_MAX} more; see them with --out or --json")
    if not found.skew_checked:
        typer.echo("vectors were not computed again (--no-skew)")
    decisions = sum(day.decisions for day in found.days)
    summary = {"state": found.state.value, "decisions": decisions, "checks": found.counts()}
    show(summary, as_json=False)
    if out is not None:
        typer.echo(f"page: {out / PAGE_FILE}")


def _against(models: Path | None, model: Path | None) -> References | OneModel:
    if models is not None and model is None:
        return References(models)
    if model is not None and models is None:
        return load_one(model)
    raise SetupError("give exactly one of --models and --model")


def _check(days: int, label_delay_days: float, zone: str) -> None:
    if not 1 <= days <= _DAYS_MAX:
        raise SetupError(f"--days is {days}; it must be 1 to {_DAYS_MAX}")
    if not 0 <= label_delay_days <= 365:
        raise SetupError(f"--label-delay-days is {label_delay_days:g}; it must be 0 to 365")
    if not is_zone(zone):
        raise SetupError(f"--zone is {zone!r}; give an IANA time zone such as Asia/Shanghai")


def _last_day(text: str | None, now: datetime, zone: ZoneInfo) -> date:
    if text is None:
        return now.astimezone(zone).date() - timedelta(days=1)
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise SetupError(f"--day is {text!r}; write a day such as 2026-11-24") from error
