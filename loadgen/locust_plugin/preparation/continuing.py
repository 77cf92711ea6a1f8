"""Continue the run that an interrupted process has left in the record folder (`--resume`)."""

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import gevent
from locust.runners import MasterRunner

from loadgen import __version__
from loadgen.control.run import Run
from loadgen.locust_plugin.coordination.identity import fingerprint
from loadgen.locust_plugin.run_results import RunFinalizer
from loadgen.measure.phase import Phase
from loadgen.milvus.store import ServerInfo
from loadgen.results.record import settings_without_secrets
from loadgen.results.resuming import Earlier, Identity, find_earlier
from loadgen.runtime.hub import run_in_thread
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings
from loadgen.text.listing import count_of

QUIT_SECONDS = 0.5
"""For notifying workers that there is no load."""

logger = logging.getLogger("loadgen")


def find_resume_faults(settings: Settings, phases: Sequence[Phase], *, is_headless: bool) -> list[Fault]:
    """Runs that cannot be continued: those that people start and stop."""
    resume_faults = []
    if settings.resume and not is_headless:
        problem = "is for a run that starts by itself: the page starts others"
        resume_faults.append(Fault("resume", "", problem, "Add --headless."))
    if settings.resume and not phases and not settings.find_rate:
        problem = "is for a plan of phases, which --mode compare or --variants make"
        resume_faults.append(Fault("resume", "", problem, "Omit it."))
    return resume_faults


def identify(environment: Any, everyone: Collection[type[Any]], settings: Settings) -> Identity:
    """What makes another start the same run."""
    is_master = isinstance(environment.runner, MasterRunner)
    return Identity(
        settings=settings_without_secrets(settings),
        locustfile=fingerprint(environment.parsed_locustfiles or ()),
        users=tuple(sorted(kind.__name__ for kind in everyone)),
        workers=int(environment.parsed_options.expect_workers or 1) if is_master else 0,
        version=__version__,
    )


def look_for_earlier(settings: Settings, identity: Identity, plan: Sequence[Phase]) -> Earlier | None:
    """The run to continue; None if there is none. Raises SettingsError if it is another one."""
    earlier = None
    if Path(settings.record).is_dir():
        earlier = run_in_thread(lambda: find_earlier(settings.record, identity, plan))
    if earlier is None:
        logger.info("No run to continue in %s: this one begins with its first phase", settings.record)
    elif not earlier.is_measured:
        number = len(earlier.results)
        reported = f"{count_of(number, 'phase')} of {earlier.planned} measured"
        logger.info("Run %s is continued with phase %d: %s", earlier.record.run_id, number + 1, reported)
    return earlier


def check_same_data(earlier: Earlier, result: str, server: ServerInfo) -> None:
    """Raise SettingsError if the data or the server are not those of the earlier phases."""
    manifest = earlier.record.manifest
    pairs = {
        "the fingerprint of the data": (manifest.fingerprint, result),
        "the server": (f"{manifest.server_type} {manifest.server_version}", f"{server.kind} {server.version}"),
    }
    reported = "; ".join(f"{name} was {old}, is {new}" for name, (old, new) in pairs.items() if old != new)
    if reported:
        hint = "Give another folder with --record to start anew."
        raise SettingsError([Fault("resume", "", f"cannot continue run {earlier.record.run_id}: {reported}", hint)])


def join_objections(
    earlier: Mapping[str, tuple[str, ...]], now: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Reasons against comparisons that were seen before either part of the run."""
    return {name: tuple(dict.fromkeys([*earlier.get(name, ()), *now.get(name, ())])) for name in {**earlier, **now}}


def conclude_measured(
    environment: Any, ending: RunFinalizer, earlier: Earlier, settings: Settings, plan: Sequence[Phase]
) -> None:
    """End a run of which no phase is missing: no load, no server. The exit code is then that of its verdict.

    One that also came to its end is judged again, and its files stay as they are.
    """
    manifest, run = earlier.record.manifest, Run(earlier.record.run_id, settings, tuple(plan), earlier=earlier)
    if earlier.is_over:
        logger.info("Run %s is complete: nothing is left to measure", earlier.record.run_id)
        run.settings = settings.model_copy(update={"record": "", "record_url": ""})
        run.broken, run.faults = earlier.record.incomplete or "", []
    else:
        logger.info("All phases of run %s are measured: only its end was missing", earlier.record.run_id)
    ending.objections = earlier.objections
    ending.begin(run, ServerInfo(manifest.server_version, manifest.server_type), manifest.workers)
    ending.conclude(environment)
    if isinstance(environment.runner, MasterRunner):
        environment.runner.send_message("quit")
        gevent.sleep(QUIT_SECONDS)
