"""The supervisor's process: a small interpreter in the place of the one that read the command."""

import json
import logging
import os
import sys
import time

from fanzha.domain.errors import FanzhaError
from fanzha.log_output import write_log
from fanzha.settings import Settings
from fanzha.workers.cores import Plan, plan_cores
from fanzha.workers.machine import this_machine
from fanzha.workers.place import address_of, spool_of
from fanzha.workers.shared import Shared, shared_by
from fanzha.workers.start import said_by, say
from fanzha.workers.supervisor import Supervisor
from fanzha.workers.words import Job

log = logging.getLogger(__name__)


def main() -> int:
    """Serve with the settings that are read from the file whose number is given."""
    write_log(time.monotonic, "supervisor")
    with os.fdopen(int(sys.argv[1])) as given:
        settings = Settings(**json.load(given))
    try:
        plan = plan_cores(settings.pin, settings.workers, this_machine(), os.getpid())
        for warning in plan.warnings:
            log.warning("%s", warning)
        supervisor = Supervisor(settings.drain_notice_s + settings.drain_s)
        with shared_by(settings, plan.rest) as shared:
            supervisor.run(_jobs(settings, plan, shared), said_by)
    except FanzhaError as error:
        say(f"fanzha: {error}", sys.stderr)
        return 1
    say("fanzha: stopped", sys.stdout)
    return 0


def _jobs(settings: Settings, plan: Plan, shared: Shared) -> list[Job]:
    return [
        Job(
            number=number,
            settings=settings.model_dump(mode="json"),
            address=address_of(settings.address, number),
            spool=str(spool_of(shared.spool, number)),
            redis_url=shared.redis_url,
            lock=shared.lock.fileno(),
            core=plan.workers[number],
            may_move=plan.may_move,
            where=plan.worker_cores(number),
        )
        for number in range(settings.workers)
    ]


if __name__ == "__main__":
    sys.exit(main())
