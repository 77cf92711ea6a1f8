"""All listeners of one Locust process, and the objects that they share."""

import contextlib
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import Any, TextIO

from locust.runners import STATE_CLEANUP, STATE_STOPPED, STATE_STOPPING, MasterRunner, WorkerRunner

from loadgen.control.agent import Agent
from loadgen.control.merged_ledger import MergedLedger
from loadgen.locust_plugin.command_line.arguments import add_arguments, find_unknown, read_settings
from loadgen.locust_plugin.command_line.parser_errors import ParserErrors
from loadgen.locust_plugin.coordination.links import deliver, send_stats
from loadgen.locust_plugin.coordination.phase_conductor import PlanConductor, RunHost, make_coordinator
from loadgen.locust_plugin.coordination.worker import WorkerSide
from loadgen.locust_plugin.display.progress import Progress
from loadgen.locust_plugin.display.run_display import RunDisplay
from loadgen.locust_plugin.display.terminal import find_shown
from loadgen.locust_plugin.metrics_endpoint import MetricsEndpoint
from loadgen.locust_plugin.patches import stop_test
from loadgen.locust_plugin.preparation.fault_checks import check_faults
from loadgen.locust_plugin.preparation.objective_checks import expect_operations
from loadgen.locust_plugin.preparation.resources import Resources
from loadgen.locust_plugin.preparation.run_request import RunRequest
from loadgen.locust_plugin.preparation.run_start import RunStarter
from loadgen.locust_plugin.preparation.variant_setup import set_up_variants
from loadgen.locust_plugin.process import Interrupt, adopt_runner, ignore_signals, prepare_runners
from loadgen.locust_plugin.request_event import RequestEvent
from loadgen.locust_plugin.run_results import RunFinalizer
from loadgen.locust_plugin.web.page import dress_page
from loadgen.measure.errors import describe_error
from loadgen.measure.health import Beat
from loadgen.measure.ledger import Ledger, RunCounts
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Sample
from loadgen.runtime.early_exit import leave
from loadgen.runtime.health_sampler import HealthSampler
from loadgen.runtime.hub import ENDING, HubQueue
from loadgen.runtime.loop import LoopThread
from loadgen.runtime.start_errors import CANNOT_START
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from loadgen.text.plain_text import clean_logs
from loadgen.users import ProcessState
from loadgen.users.listeners import Listeners

logger = logging.getLogger("loadgen")


class Plugin:
    """One per process; `plug` creates it and connects it to Locust's events."""

    def __init__(self, events: Any) -> None:
        self._events = events
        self._defaults: dict[str, object] = {}
        self._parser_errors = ParserErrors()
        self._progress = Progress()
        self._resources = Resources(self._progress.tell)
        self._agent: Agent | None = None
        self._ended = False
        prepare_runners(self._is_ready)
        events.init_command_line_parser.add_listener(self._on_parser)
        events.init.add_listener(self._on_init)

    def take_defaults(self, defaults: dict[str, object]) -> None:
        """Add a locustfile's defaults. Raises ValueError if two files contradict each other."""
        for name, value in defaults.items():
            if self._defaults.setdefault(name, value) != value:
                raise ValueError(f"two locustfiles set {name}: {self._defaults[name]!r} and {value!r}")

    # Before the run

    def _on_parser(self, parser: Any, **_: Any) -> None:
        add_arguments(parser, self._defaults, self._parser_errors)

    def _on_init(self, environment: Any, runner: Any, web_ui: Any, **_: Any) -> None:
        clean_logs(find_shown())
        try:
            self._begin(environment, runner, web_ui)
        except ENDING:
            raise
        except BaseException as error:  # noqa: BLE001 - Locust would log its traceback; nothing was sent
            leave(describe_error(error), CANNOT_START)

    def _begin(self, environment: Any, runner: Any, web_ui: Any) -> None:
        self._environment = environment
        self._interrupt = Interrupt()
        adopt_runner(self._interrupt, runner, self._decide)
        own, listeners = Ledger(), Listeners(partial(stop_test, environment))
        self._request_event = RequestEvent(environment.events, listeners, environment.stats)
        self._sinks: tuple[Any, ...] = (own, self._request_event)
        self._metering = MetricsEndpoint(runner)
        state = ProcessState(Settings(), HubQueue(self._deliver), own, LoopThread())
        self._process_state = environment.loadgen = state
        state.is_ending = lambda: runner.state in (STATE_CLEANUP, STATE_STOPPING, STATE_STOPPED)
        state.loop.on_death = self._on_loop_death
        state.listeners = listeners
        exporter = self._metering.exporter
        state.on_drop, state.on_recall = exporter.count_dropped, exporter.count_recall
        state.on_error = exporter.count_task_error
        agent = self._agent = Agent(environment, state, exporter, self._open, partial(send_stats, runner))
        agent.check_faults = partial(check_faults, state)
        self._health_sampler = HealthSampler(state.loop, self._beat, agent.look, state.find_ports)
        if isinstance(runner, WorkerRunner):
            self._begin_worker(environment, runner, agent)
        else:
            self._begin_coordinator(environment, runner, agent)
            self._go(environment, web_ui)

    def _begin_worker(self, environment: Any, runner: Any, agent: Agent) -> None:
        self._everyone = list(environment.user_classes)
        self._worker = WorkerSide(environment, runner, agent)
        self._listen(environment.events)
        with contextlib.suppress(SettingsError):  # local settings, which the master may override
            self._expect(read_settings(environment.parsed_options, environment.host))
        self._add_sinks(environment.parsed_options)
        self._parser_errors.warn()
        self._worker.greet()

    def _begin_coordinator(self, environment: Any, runner: Any, agent: Agent) -> None:
        is_master = isinstance(runner, MasterRunner)
        ledger: RunCounts = MergedLedger() if is_master else self._process_state.ledger
        self._process_state.counted = ledger
        self._ending = RunFinalizer(ledger, self._parser_errors.secret_flags)
        self._run_display = RunDisplay(environment, self._progress, ledger, self._ending)
        exporter, find_death = self._metering.exporter, self._resources.find_death
        find_load = (lambda: 0) if is_master else (lambda: agent.in_flight)
        host = RunHost(environment, exporter, self._run_display, find_death, find_load)
        self._coordinator = make_coordinator(environment, agent, ledger, self._progress, host)
        if is_master:
            environment.events.worker_report.add_listener(self._on_worker_report)
        conductor = PlanConductor(environment, lambda: self._coordinator, lambda: self._starting.begin())  # noqa: PLW0108
        self._asking = RunRequest(environment, self._parser_errors, conductor)
        self._asking.is_ending = lambda: self._run_display.is_ending
        self._everyone = self._asking.everyone
        parts = (self._asking, self._resources, self._ending, self._progress, self._run_display, self._coordinator)
        self._starting = RunStarter(environment, self._process_state, self._interrupt, parts)
        self._starting.on_begin = self._show
        self._listen(environment.events)

    def _go(self, environment: Any, web_ui: Any) -> None:
        settings, options = self._asking.read(), environment.parsed_options
        self._expect(settings)
        self._add_sinks(options)
        for warning in find_unknown(os.environ):
            logger.warning(warning)
        logger.info("Async users run on %s", self._process_state.loop.name)
        self._run_display.open()
        if web_ui is not None:
            dress_page(web_ui, self._asking)
        if options.headless or options.autostart:
            self._starting.prepare_or_leave(settings)

    def _on_loop_death(self) -> None:
        """Async users cannot continue without their loop: the run ends with an error."""
        reason = "the event loop of the async users has ended"
        if isinstance(self._environment.runner, WorkerRunner):
            self._worker.fail(reason)
        else:
            self._coordinator.end_early(reason)

    def _add_sinks(self, options: Any) -> None:
        """Locust's own event is last: its listeners may block."""
        self._sinks = (self._process_state.ledger, *self._metering.open(options), self._request_event)

    def _listen(self, events: Any) -> None:
        """After Locust's own listeners, so that in reverse order (quitting) ours come first."""
        events.test_start.add_listener(self._on_test_start)
        events.test_stopping.add_listener(self._on_test_stopping)
        events.test_stop.add_listener(self._on_test_stop)
        events.quitting.add_listener(self._on_quitting)
        events.quit.add_listener(self._on_quit)

    def _open(self, settings: Settings, collections: Mapping[str, Mapping[str, Any]]) -> None:
        """Open the stores of this process for a run."""
        self._expect(settings)
        variants = set_up_variants(settings, collections, {kind.mode for kind in self._everyone})
        self._resources.open(self._process_state, settings, variants, max(0, self._environment.runner.worker_index))

    def _expect(self, settings: Settings) -> None:
        expect_operations(settings, self._everyone, self._metering, self._process_state.ledger)

    def _show(self, settings: Settings) -> None:
        """A run begins: name it in the metrics of the conducting process."""
        self._process_state.listeners.begin()
        self._metering.exporter.begin(settings)
        self._expect(settings)

    def _is_ready(self, environment: Any) -> bool:
        """True if a worker may start the users that Locust requested."""
        run_id = getattr(environment.parsed_options, "loadgen_run_id", "")
        return self._agent is not None and bool(run_id) and self._agent.is_ready(run_id)

    # The run

    def _on_test_start(self, environment: Any, **_: Any) -> None:
        """A plan begins in its first tick, which is earlier."""
        if isinstance(environment.runner, WorkerRunner) or environment.shape_class is not None:
            return
        began = perf_counter()  # so does Locust's own clock for --run-time
        self._starting.begin()
        run, options = self._coordinator.run, environment.parsed_options
        run.run_time, run.began = float(options.run_time or 0.0), began
        phase = Phase(0, Mode(run.settings.mode), options.num_users or 1)
        self._coordinator.follow(phase, lambda: environment.runner.target_user_count, run.run_time)

    def _deliver(self, samples: Sequence[Sample]) -> None:
        for sink in self._sinks:
            try:
                sink(samples)
            except Exception as error:  # noqa: BLE001 - a faulty sink must not affect the others
                self._process_state.listeners.errors.note(error, "A sink of samples failed")

    def _beat(self, beat: Beat) -> None:
        self._process_state.beat(beat)
        self._metering.exporter.beat(beat)

    def _on_worker_report(self, client_id: str, data: dict[str, Any], **_: Any) -> None:
        if report := data.get("loadgen"):
            deliver(self._coordinator, client_id, report)

    # The end

    def _on_test_stopping(self, environment: Any, **_: Any) -> None:
        if not isinstance(environment.runner, WorkerRunner):
            self._run_display.note_end(over=False)
            self._coordinator.note_end()
        if isinstance(environment.runner, MasterRunner):
            self._coordinator.stop()
        elif self._agent is not None:
            self._agent.break_off()

    def _on_test_stop(self, environment: Any, **_: Any) -> None:
        try:
            self._end_run(environment)
        finally:
            if not isinstance(environment.runner, WorkerRunner):
                self._run_display.note_end(over=True)

    def _end_run(self, environment: Any) -> None:
        self._progress.rest()
        self._process_state.end_run()
        self._metering.exporter.leave()
        if isinstance(environment.runner, WorkerRunner):
            return
        self._coordinator.end_run()
        self._resources.release(self._coordinator.run.fault)
        if environment.web_ui is not None:
            self._ending.conclude(environment, self._interrupt.number)
            self._run_display.conclude()
            self._ending.tell(self._out(), hurry=True)  # the page may start the next run
        if environment.shape_class is not None:
            environment.shape_class.rewind()

    def _on_quitting(self, environment: Any, **_: Any) -> None:
        ignore_signals()  # it ends in seconds; another signal would only lose the results
        self._process_state.closed = True
        runner = environment.runner
        if isinstance(runner, WorkerRunner):
            self._worker.quit(self._process_state.queue.flush)
            return
        self._run_display.close()
        if isinstance(runner, MasterRunner):
            runner.stop(send_stop_to_client=False)  # as its quit does, which follows
        else:
            runner.stop()
        self._process_state.queue.flush()
        self._coordinator.end_run()
        self._ending.conclude(environment, self._interrupt.number)

    def _decide(self, code: int) -> int:
        """The exit code: Locust's, but never 0 if the run has another."""
        return code if isinstance(self._environment.runner, WorkerRunner) else code or self._ending.code

    def _on_quit(self, **_: Any) -> None:
        if self._ended:
            return
        self._ended = True
        is_worker = isinstance(self._environment.runner, WorkerRunner)
        if not is_worker:
            self._ending.tell(self._out(), hurry=self._interrupt.came)
            self._coordinator.close()
        with contextlib.suppress(Exception):
            self._resources.close(self._process_state)
        self._health_sampler.stop()
        self._process_state.loop.stop()
        self._resources.stop_server()
        self._metering.announce_end()
        if not is_worker:
            self._ending.tell_code(self._out())
        self._metering.close()

    def _out(self) -> TextIO:
        """The output for tables: standard output, unless Locust's `--json` reserves it."""
        return sys.stderr if self._environment.parsed_options.json else sys.stdout
