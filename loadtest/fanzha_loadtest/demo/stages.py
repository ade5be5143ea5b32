"""The story of the demo, from an empty folder to a checked archive; every part of it is real."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fanzha_loadtest.clients import ClientError
from fanzha_loadtest.commands import import_list, run
from fanzha_loadtest.demo.count_check import Count, ask_again, count_archive
from fanzha_loadtest.demo.options import Options
from fanzha_loadtest.demo.people import People
from fanzha_loadtest.demo.retraining import Retrained, promote, retrain
from fanzha_loadtest.demo.screen import Screen
from fanzha_loadtest.demo.watchlists import write_billers, write_involved
from fanzha_loadtest.player import Player
from fanzha_loadtest.service import Service
from fanzha_loadtest.tally import Tally
from fanzha_loadtest.world import HOUR_MS, World

_SETTLE_S: Final = 20.0
"""So long records may be on their way to the journal before they count as lost."""
_TAKE_OVER_S: Final = 20.0
"""So long the service may take to load a promoted model."""
_ASKED_AGAIN: Final = 50


class DemoError(Exception):
    """Something that the demo shows did not hold: says what."""


@dataclass(frozen=True, slots=True)
class Told:
    """Everything that the demo found out, for its summary and its report."""

    world: dict[str, Any]
    """What `simulate` says."""
    tally: Tally
    retrained: Retrained
    champion_before: str
    active_model: str
    """Model that the last answer stood on."""
    listed: int
    """Entries that were imported to the watchlists."""
    journal_records: int
    """Records that `fanzha archive` moved out of the journal, summed over its runs."""
    count: Count
    asked_again: int
    play_s: float
    """Seconds spent playing."""
    answered_after_promotion: int


def tell(options: Options, work: Path, screen: Screen) -> Told:
    """Run the demo in an empty folder and return what came of it.

    Raises:
        DemoError, ClientError, CommandError, ServiceError: with the cause.

    """
    if not options.models.is_dir():
        raise DemoError(
            f"{options.models} is no folder of models; run the demo in the project's folder, "
            "or say with --models where the models are"
        )
    with screen.stage("simulate the bank's month") as note:
        said = _simulate(options, work / "world")
        world = World.read(work / "world")
        note(
            f"{said['transfers']:,} transfers of {options.customers:,} customers, "
            f"{said['fraud_payments']:,} by victims of fraud"
        )
    models = work / "models"
    shutil.copytree(options.models, models)
    people = People.new(work / "people", models / "keys")
    champion = _start_from(options.champion, models, people)
    with ExitStack() as running:
        with screen.stage("start service and Redis"):
            service = running.enter_context(Service(work / "data", models, work / "service.log"))
        player = running.enter_context(
            closing(Player(service.address, world.outcomes_by_request(), options.seed))
        )
        demo = _Demo(options, work, screen, world, models, people, service, player)
        try:
            return demo.tell(said, champion)
        except ClientError:
            # A service that has ended can say why; its clients only see that it is gone.
            service.check()
            raise


class _Demo:
    """The part of the story in which the service runs."""

    def __init__(
        self,
        options: Options,
        work: Path,
        screen: Screen,
        world: World,
        models: Path,
        people: People,
        service: Service,
        player: Player,
    ) -> None:
        self._options = options
        self._work = work
        self._screen = screen
        self._world = world
        self._models = models
        self._people = people
        self._service = service
        self._player = player
        self._journal_records = 0
        self._listed = 0
        self._play_s = 0.0

    def tell(self, said: dict[str, Any], champion: str) -> Told:
        screen, tally = self._screen, self._player.tally
        last_day = self._options.days - 1
        with screen.watching(tally.live):
            self._play_days(last_day)
        with screen.stage("archive the journal") as note:
            self._archive()
            note(f"{self._journal_records:,} records")
        retrained = retrain(
            self._service.archive,
            self._models,
            champion,
            self._people,
            self._work,
            self._options,
            screen,
        )
        with screen.watching(tally.live):
            before = len(tally.answers)
            self._go_on(last_day, retrained)
        with screen.stage("archive again and count every record") as note:
            count = self._settled_count()
            note(f"{count.rows:,} records, {count.lost_records} lost")
        with screen.stage(f"ask again about {_ASKED_AGAIN} decisions"):
            differing = ask_again(self._service.address, tally.answers, _ASKED_AGAIN)
        self._check(count, differing)
        return Told(
            world=said,
            tally=tally,
            retrained=retrained,
            champion_before=champion,
            active_model=tally.answers[-1].model_version,
            listed=self._listed,
            journal_records=self._journal_records,
            count=count,
            asked_again=_ASKED_AGAIN,
            play_s=self._play_s,
            answered_after_promotion=len(tally.answers) - before,
        )

    def _play_days(self, until_day: int) -> None:
        """Play the days before `until_day`, while officers import lists at some of them."""
        world, from_day = self._world, 0
        imports = [day for day in self._options.import_days if day < until_day]
        file = self._work / "billers.csv"
        listed = write_billers(file, world.billers(), world.start_ms)
        with ThreadPoolExecutor(1, thread_name_prefix="officer") as officer:
            for day in (*imports, until_day):
                what = "verified billers" if from_day == 0 else "involved accounts"
                with self._screen.stage(
                    f"play days {from_day + 1} to {day}; officers list {listed} {what}"
                ):
                    # As in a bank, payments do not wait for the officers.
                    imported = officer.submit(self._import, file, listed)
                    self._play(world.day_start_ms(from_day), world.day_start_ms(day))
                    imported.result()
                file = self._work / f"involved-{day}.csv"
                now_ms = world.day_start_ms(day)
                known = world.mules_known(world.day_start_ms(from_day), now_ms)
                listed = write_involved(file, known, now_ms)
                from_day = day

    def _import(self, file: Path, count: int) -> None:
        if count:
            import_list(self._service.address, file)
            self._listed += count

    def _play(self, from_ms: int, until_ms: int) -> None:
        begin = time.monotonic()
        self._player.play(self._world.rows(from_ms, until_ms))
        self._play_s += time.monotonic() - begin
        self._service.check()

    def _go_on(self, day: int, retrained: Retrained) -> None:
        """Play the last day; in the middle of it, promote the new model if the gate lets it."""
        begin_ms = self._world.day_start_ms(day)
        noon_ms, end_ms = begin_ms + 12 * HOUR_MS, begin_ms + 24 * HOUR_MS
        with self._screen.stage("go on scoring; promote at noon if the gate was passed") as note:
            self._play(begin_ms, noon_ms)
            if retrained.gate_passed:
                promote(self._models, self._people, retrained)
                note(f"promoted {retrained.version} without a restart")
                self._play_until_it_decides(noon_ms, end_ms, retrained.version)
            else:
                note("not promoted; the old model goes on")
                self._play(noon_ms, end_ms)
            self._player.finish()

    def _play_until_it_decides(self, from_ms: int, until_ms: int, version: str) -> None:
        """Play hour by hour, slowly until the first answer stands on the promoted model."""
        deadline = time.monotonic() + _TAKE_OVER_S
        taken_over = False
        for hour_ms in range(from_ms, until_ms, HOUR_MS):
            self._play(hour_ms, min(hour_ms + HOUR_MS, until_ms))
            taken_over = self._player.tally.answers[-1].model_version == version
            if not taken_over and time.monotonic() < deadline:
                time.sleep(_TAKE_OVER_S / 12)
        if not taken_over:
            raise DemoError(f"{version} was promoted, but the service still answers with another")

    def _archive(self) -> None:
        moved = run(
            "fanzha", "archive",
            "--redis", self._service.redis_url, "--archive", self._service.archive,
        )  # fmt: skip
        self._journal_records += moved["rows"]

    def _settled_count(self) -> Count:
        """Archive until all is there, or until it should be."""
        deadline = time.monotonic() + _SETTLE_S
        while True:
            self._archive()
            count = count_archive(self._service.archive, self._player.tally)
            if count.agrees or time.monotonic() > deadline:
                return count
            time.sleep(1.0)

    def _check(self, count: Count, differing: list[str]) -> None:
        if not count.agrees or count.rows != self._journal_records:
            raise DemoError(
                f"the archive does not agree with what the clients were answered: {count}; "
                f"{self._journal_records} records were moved"
            )
        if differing:
            raise DemoError(f"GetDecision answers otherwise than before for {', '.join(differing)}")


def _simulate(options: Options, folder: Path) -> dict[str, Any]:
    return run(
        "fanzha_training", "simulate", "--out", folder,
        "--customers", options.customers, "--days", options.days,
        "--seed", options.seed, "--start", options.start,
        "--fraud-per-million", options.fraud_per_million, "--fraud-mix", options.fraud_mix,
    )  # fmt: skip


def _start_from(wished: str, models: Path, people: People) -> str:
    """Go back to a shipped model in the demo's own registry; return who decides at first."""
    registry = run("fanzha", "models list", "--models", models)
    champions = [each["model"] for each in registry["models"] if each["state"] == "former"]
    if wished in champions:
        reason = "the demo starts where retraining has something to do"
        return str(
            run(
                "fanzha", "models rollback", "--to", wished, "--models", models,
                "--reason", reason, *people.speaking("lead"),
            )["champion"]
        )  # fmt: skip
    return str(registry["champion"] or "")
