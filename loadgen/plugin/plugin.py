"""All listeners of one Locust process, and the objects that they share."""

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from time import perf_counter
from typing import Any, NoReturn, TextIO

import gevent
from locust.exception import StopTest
from locust.runners import STATE_RUNNING, STATE_SPAWNING, LocalRunner, MasterRunner, WorkerRunner

from loadgen.faults import SettingsError
from loadgen.health import Beat
from loadgen.ledger import Ledger
from loadgen.phase import Phase
from loadgen.plugin.arguments import add_arguments, find_unknown
from loadgen.plugin.asking import Asking
from loadgen.plugin.casting import modes_of, operations_of
from loadgen.plugin.crew import ANSWER, CALL, Crew
from loadgen.plugin.doubts import Doubts
from loadgen.plugin.ending import Ending
from loadgen.plugin.front import Front
from loadgen.plugin.lead import Lead
from loadgen.plugin.metering import Metering
from loadgen.plugin.page import dress_page
from loadgen.plugin.progress import Progress
from loadgen.plugin.request_event import RequestEvent
from loadgen.plugin.supply import Supply
from loadgen.plugin.surroundings import CANNOT_START, Interrupt, leave, repair_locust_main, stop_test
from loadgen.runtime.hub import HubQueue
from loadgen.runtime.loop import LoopThread
from loadgen.runtime.pulse import Pulse
from loadgen.sample import Mode, Sample
from loadgen.server import ServerError
from loadgen.settings import Settings
from loadgen.store import StoreError
from loadgen.users import Station
from loadgen.users.listeners import Listeners

FAILED = "loadgen_failed"
"""Locust message type: a worker cannot take part, and why."""
UNREADY = (SettingsError, ServerError, StoreError)

logger = logging.getLogger("loadgen")


class Plugin:
    """One for each process; `plug` makes it and hangs it on Locust's events."""

    def __init__(self, events: Any) -> None:
        self._events = events
        self._defaults: dict[str, object] = {}
        self._doubts = Doubts()
        self._progress = Progress()
        self._supply = Supply(self._progress.tell)
        self._prepared: Settings | None = None
        self._ended = False
        events.init_command_line_parser.add_listener(self._on_parser)
        events.init.add_listener(self._on_init)

    def take_defaults(self, defaults: dict[str, object]) -> None:
        """Add a locustfile's defaults. Raises ValueError where two files contradict each other."""
        for name, value in defaults.items():
            if self._defaults.setdefault(name, value) != value:
                raise ValueError(f"two locustfiles set {name}: {self._defaults[name]!r} and {value!r}")

    # Before the run

    def _on_parser(self, parser: Any, **_: Any) -> None:
        add_arguments(parser, self._defaults, self._doubts)

    def _on_init(self, environment: Any, runner: Any, web_ui: Any, **_: Any) -> None:
        self._interrupt = Interrupt()
        repair_locust_main(self._interrupt, runner)
        self._environment = environment
        listeners = Listeners(partial(stop_test, environment))
        self._sinks: tuple[Any, ...] = (Ledger(), RequestEvent(environment.events, listeners))
        self._metering = Metering(runner)
        queue = HubQueue(self._deliver)
        self._station = environment.loadgen = Station(Settings(), queue, self._sinks[0], LoopThread())
        self._crew = Crew(
            environment, self._station, self._metering.exporter, lambda: self._open(self._asking.settings())
        )
        self._station.is_ending = lambda: runner.state not in (STATE_SPAWNING, STATE_RUNNING)
        self._station.on_drop = self._metering.exporter.count_dropped
        self._station.listeners = listeners
        self._station.on_error = self._metering.exporter.count_task_error
        self._station.on_recall = self._metering.exporter.count_recall
        self._pulse = Pulse(self._station.loop, self._beat, self._crew.look)
        self._ending = Ending(self._sinks[0])
        self._front = Front(environment, self._progress, self._sinks[0], self._ending)
        self._lead = Lead(environment, self._crew, self._progress, self._front.after_phase, lambda: self._supply.truth)
        self._asking = Asking(environment, self._doubts, self._lead)
        self._listen(environment.events, runner)
        settings = None if isinstance(runner, WorkerRunner) else self._asking.read()
        self._expect(environment.parsed_options.mode)  # a worker's own, which its master may change
        ledger, request_event = self._sinks  # the latter comes last: its listeners may wait
        self._sinks = (ledger, *self._metering.open(environment.parsed_options), request_event)
        if settings is None:
            self._doubts.warn()
            return
        for warning in find_unknown(os.environ):
            logger.warning(warning)
        logger.info("Async users run on %s", self._station.loop.name)
        self._front.open()
        options = environment.parsed_options
        if web_ui is not None:
            dress_page(web_ui, self._asking.arrange_asked)
        if options.headless or options.autostart:
            self._prepare_or_leave(settings)

    def _listen(self, events: Any, runner: Any) -> None:
        """After Locust's own listeners, so that in reverse order (quitting) ours come first."""
        events.test_start.add_listener(self._on_test_start)
        events.test_stopping.add_listener(self._on_test_stopping)
        events.test_stop.add_listener(self._on_test_stop)
        events.quitting.add_listener(self._on_quitting)
        events.quit.add_listener(self._on_quit)
        events.report_to_master.add_listener(self._on_report_to_master)
        events.worker_report.add_listener(self._on_worker_report)
        if isinstance(runner, WorkerRunner):
            runner.register_message(CALL, self._crew.answer, concurrent=True)
        elif isinstance(runner, MasterRunner):
            runner.register_message(ANSWER, self._lead.listen)
            runner.register_message(FAILED, self._on_worker_failed)

    def _prepare_or_leave(self, settings: Settings) -> None:
        try:
            self._prepare(settings)
        except UNREADY as error:
            self._front.close()
            leave(str(error), CANNOT_START)
        except KeyboardInterrupt:
            self._supply.wait_for_shield()
            self._front.close()
            leave("Interrupted before the run began.", 130)

    def _prepare(self, settings: Settings) -> None:
        self._progress.begin_preparing()
        try:
            addressed = self._supply.prepare(settings)
            self._environment.host = addressed.host
            if isinstance(self._environment.runner, LocalRunner):
                self._open(addressed)
            modes = {kind.mode for kind in self._environment.user_classes if not kind.style}
            both = settings.mode == "compare" and modes == set(Mode)
            self._ending.objections = self._supply.compare_modes(self._station, addressed) if both else ()
        finally:
            self._progress.end_preparing()
        self._prepared = addressed

    def _open(self, settings: Settings) -> None:
        modes = {kind.mode for kind in self._asking.everyone} & modes_of(settings)
        worker = max(0, self._environment.runner.worker_index)
        self._supply.open(self._station, settings, sorted(modes), worker)

    def _expect(self, mode: str) -> None:
        """Have the series of what the users can do told of before they do it."""
        self._metering.exporter.expect(operations_of(self._asking.everyone, mode))

    # The run

    def _on_test_start(self, environment: Any, **_: Any) -> None:
        runner = environment.runner
        try:
            settings = self._asking.settings()
            self._metering.exporter.begin(settings)
            self._expect(settings.mode)
            if isinstance(runner, WorkerRunner):
                self._open(settings)
                return
            if self._prepared is None:
                self._prepare(settings)
            self._prepared = None  # the next start looks again
        except UNREADY as error:
            self._refuse(error)
        self._begin(settings)
        environment.process_exit_code = None
        self._station.listeners.begin()
        if environment.shape_class is None:
            self._lead.reset()
            self._lead.open(Phase(0, Mode(settings.mode), environment.parsed_options.num_users or 1))

    def _begin(self, settings: Settings) -> None:
        """Keep a record of this run from here on."""
        runner = self._environment.runner
        workers = len(runner.clients) if isinstance(runner, MasterRunner) else 1
        if self._supply.answered is not None:
            self._lead.run = self._ending.begin(settings, self._supply.answered, workers)
            self._front.begin()

    def _refuse(self, error: Exception) -> NoReturn:
        self._progress.rest()
        runner = self._environment.runner
        self._environment.process_exit_code = CANNOT_START
        if isinstance(runner, WorkerRunner):
            runner.send_message(FAILED, {"why": str(error)})
            gevent.spawn_later(1, runner.quit)
        raise StopTest(str(error))

    def _on_worker_failed(self, environment: Any, msg: Any, **_: Any) -> None:
        logger.error("Worker %s cannot take part: %s", msg.node_id, msg.data["why"])
        environment.process_exit_code = CANNOT_START
        gevent.spawn(environment.runner.quit)

    def _deliver(self, samples: Sequence[Sample]) -> None:
        for sink in self._sinks:
            try:
                sink(samples)
            except Exception as error:  # noqa: BLE001 - each sink by itself
                self._station.listeners.errors.note(error, "A sink of samples failed")

    def _beat(self, beat: Beat) -> None:
        self._station.beat(beat)
        self._metering.exporter.beat(beat)

    def _on_report_to_master(self, data: dict[str, Any], **_: Any) -> None:
        self._station.settle()
        data["loadgen"] = self._sinks[0].take_report(perf_counter())

    def _on_worker_report(self, client_id: str, data: dict[str, Any], **_: Any) -> None:
        if report := data.get("loadgen"):
            self._sinks[0].merge(report, client_id)

    # The end

    def _on_test_stopping(self, environment: Any, **_: Any) -> None:
        if isinstance(environment.runner, MasterRunner):
            self._lead.stop()
        else:
            self._station.ledger.cut(perf_counter())
            self._crew.arrivals.finish()

    def _on_test_stop(self, environment: Any, **_: Any) -> None:
        self._progress.rest()
        self._station.queue.flush()
        self._station.listeners.summarize()
        self._station.ledger.close(perf_counter())
        self._metering.exporter.leave()
        self._station.settle()
        if environment.web_ui is not None:
            self._ending.conclude(environment)
            self._front.conclude()
            self._ending.tell(self._out(), hurry=True)  # the page may start the next run
        if environment.shape_class is not None:
            environment.shape_class.rewind()

    def _on_quitting(self, environment: Any, **_: Any) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends in seconds; another Ctrl-C would only cost the figures
        self._station.closed = True
        self._front.close()
        runner = environment.runner
        if isinstance(runner, MasterRunner):
            runner.stop(send_stop_to_client=False)  # as its quit does, which comes after this
        else:
            runner.stop()
        self._station.queue.flush()
        self._ending.conclude(environment)
        if isinstance(runner, WorkerRunner):
            with contextlib.suppress(Exception):  # the master may be gone
                runner._send_stats()  # noqa: SLF001 - Locust sends a last report only when the master asks it to quit

    def _on_quit(self, **_: Any) -> None:
        if self._ended:
            return
        self._ended = True
        self._ending.tell(self._out(), hurry=self._interrupt.came)
        if death := self._supply.find_death():
            logger.error(death)
        with contextlib.suppress(Exception):
            self._supply.close(self._station)
        self._pulse.stop()
        self._station.loop.stop()
        self._supply.stop_server()
        self._metering.close()

    def _out(self) -> TextIO:
        """Where the tables go: standard output, unless Locust's `--json` has that to itself."""
        return sys.stderr if self._environment.parsed_options.json else sys.stdout
