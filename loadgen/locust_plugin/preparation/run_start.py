"""From the request to a run that is ready to begin: data, stores of every process, record."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from random import SystemRandom
from typing import Any, NoReturn

import gevent
from locust.exception import StopTest
from locust.runners import LocalRunner, MasterRunner

from loadgen.control.coordinator import Coordinator
from loadgen.control.rate_finder import find_rate_finder
from loadgen.control.run import Run
from loadgen.locust_plugin.coordination.links import have_workers_replaced
from loadgen.locust_plugin.display.progress import Progress
from loadgen.locust_plugin.display.run_display import RunDisplay
from loadgen.locust_plugin.patches import forget_shape
from loadgen.locust_plugin.preparation.continuing import (
    QUIT_SECONDS,
    check_same_data,
    conclude_measured,
    identify,
    join_objections,
    look_for_earlier,
)
from loadgen.locust_plugin.preparation.prologue import check_prologue, find_prologue
from loadgen.locust_plugin.preparation.resources import Resources
from loadgen.locust_plugin.preparation.run_plan import clients_of, may_write, name_operations
from loadgen.locust_plugin.preparation.run_request import RunRequest
from loadgen.locust_plugin.preparation.variant_setup import describe_data, resolve_data
from loadgen.locust_plugin.process import Interrupt
from loadgen.locust_plugin.run_results import RunFinalizer
from loadgen.measure.errors import describe_error
from loadgen.measure.phase import Phase
from loadgen.results.record import make_folder, new_run_id
from loadgen.results.record.object_store import probe_store
from loadgen.results.resuming import Earlier
from loadgen.runtime.early_exit import leave
from loadgen.runtime.hub import ENDING, run_in_thread
from loadgen.runtime.start_errors import CANNOT_START
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings
from loadgen.settings.variants import find_variants
from loadgen.text.listing import count_of
from loadgen.users import ProcessState


class RunStarter:
    """One per process that conducts runs. An exception before the load means one message, and no load."""

    def __init__(
        self,
        environment: Any,
        process_state: ProcessState,
        interrupt: Interrupt,
        parts: tuple[RunRequest, Resources, RunFinalizer, Progress, RunDisplay, Coordinator],
    ) -> None:
        self._environment = environment
        self._process_state = process_state
        self._interrupt = interrupt
        self._asking, self._resources, self._ending, self._progress, self._run_display, self._coordinator = parts
        self.on_begin: Callable[[Settings], object] = lambda _settings: None
        """Called with the settings of each new run."""
        self._prepared: Settings | None = None
        self._run: Run | None = None
        self._earlier: Earlier | None = None

    def prepare_or_leave(self, settings: Settings) -> None:
        """Before Locust starts by itself: the data, and in a single process the stores; ends the process otherwise."""
        try:
            self._prepare(settings)
        except KeyboardInterrupt:
            self._resources.wait_for_shield()
            self._run_display.close()
            leave("Interrupted before the run began.", self._interrupt.code)
        except BaseException as error:  # noqa: BLE001 - nothing was sent, whatever the error
            self._run_display.close()
            leave(describe_error(error), CANNOT_START)

    def begin(self) -> None:
        """Prepare the requested run, or refuse it (StopTest, or the end of the process)."""
        self._ending.expect()
        try:
            if self._prepared is None:
                self._asking.forget_server()
                self._prepare(self._asking.settings())
            settings, self._prepared = self._prepared, None  # the next start checks again
            assert settings is not None  # noqa: S101 - set by `_prepare`
            if self._run is None:
                self._begin_agents(settings)
            run, self._run = self._run, None
            assert run is not None  # noqa: S101 - likewise
            self._begin_record(run)
        except StopTest:
            raise
        except ENDING:
            self._undo()
            raise
        except BaseException as error:
            ended = self._interrupt.came or self._process_state.closed
            if ended:  # because the workers are gone, or a store was closed
                raise gevent.GreenletExit from error
            self._refuse(describe_error(error))

    def _prepare(self, settings: Settings) -> None:
        if settings.resume:
            self._look_for_earlier(settings)
        performed = name_operations(self._environment.user_classes, settings)
        settings = run_in_thread(lambda: resolve_data(settings, performed))  # a faulty file must leave no folder behind
        run_in_thread(lambda: check_prologue(self._environment.events, settings))
        if fault := self._find_missing_workers(settings):
            raise SettingsError([fault])
        if settings.record and (fault := make_folder(settings.record)):
            raise SettingsError([fault])
        if settings.record_url:
            run_in_thread(lambda: probe_store(settings.record_url))
        self._progress.begin_preparing()
        self._run = None
        try:
            writes = may_write(self._environment.user_classes, clients_of(settings))
            addressed = self._resources.prepare(settings, writes=writes)
            self._asking.answer_at(str(self._resources.faults.of_users.get("host", addressed.host)))
            if (prologue := find_prologue(self._environment.events)) is not None:
                run_in_thread(lambda: prologue.run(addressed, self._progress.tell))
            if isinstance(self._environment.runner, LocalRunner):
                self._begin_agents(addressed)
            is_compared = len(find_variants(settings)) > 1 and any(not k.style for k in self._environment.user_classes)
            compare = self._resources.compare_variants
            self._ending.objections = compare(self._process_state, addressed) if is_compared else {}
        finally:
            self._progress.end_preparing()
        self._prepared = addressed

    def _look_for_earlier(self, settings: Settings) -> None:
        """Find the run to continue; ends the process if nothing of it is missing."""
        plan = self._plan
        have_workers_replaced(self._environment.runner, self._is_interrupted)
        self._ending.identity = identify(self._environment, self._asking.everyone, settings)
        self._earlier = earlier = look_for_earlier(settings, self._ending.identity, plan)
        if earlier is None or not earlier.is_measured:
            return
        conclude_measured(self._environment, self._ending, earlier, settings, plan)
        self._run_display.close()
        out = sys.stderr if self._environment.parsed_options.json else sys.stdout
        self._ending.tell(out)
        self._ending.tell_code(out)
        leave("", self._ending.code)

    def _is_interrupted(self) -> bool:
        """Whether somebody has asked for the end before the plan was complete."""
        run = self._coordinator.run
        return self._interrupt.came and not (run.plan and not run.early)

    @property
    def _plan(self) -> tuple[Phase, ...]:
        shape = self._environment.shape_class
        return shape.phases if shape is not None else ()

    def _begin_agents(self, settings: Settings) -> None:
        """Make every process open its stores."""
        options, plan = self._environment.parsed_options, self._plan
        run = Run(
            run_id=new_run_id(datetime.now(UTC), SystemRandom()),
            settings=settings,
            plan=plan,
            finder=find_rate_finder(settings, plan),
            expected=self._count_expected(),
            collections=self._resources.collections,
            ground_truths=self._resources.ground_truths,
            selectivities=self._resources.selectivities,
            fingerprint=self._resources.fingerprint,
            data=describe_data(settings) if isinstance(self._environment.runner, MasterRunner) else "",
            loaded=tuple(self._resources.loaded),
            count_segments=self._resources.count_segments,
            look_at_server=self._resources.metrics.take,
            drill=self._resources.faults.schedule,
            of_users=self._resources.faults.of_users,
            are_workers_replaced=not options.processes,
            earlier=self._earlier,
        )
        options.loadgen_run_id = run.run_id  # Locust sends it to the workers with their users
        self._coordinator.begin_run(run)
        self._run = run

    def _count_expected(self) -> int:
        """Number of load-generating processes: those connected, or those requested."""
        runner = self._environment.runner
        if not isinstance(runner, MasterRunner):
            return 1
        return max(int(self._environment.parsed_options.expect_workers or 1), int(runner.worker_count))

    def _find_missing_workers(self, settings: Settings) -> Fault | None:
        """A plan that asks for more workers than there are."""
        wanted, there = max(settings.scale_workers, default=0), self._count_expected()
        if wanted <= there:
            return None
        shown = ",".join(map(str, settings.scale_workers))
        problem = f"needs {count_of(wanted, 'worker')}, and there {'is' if there == 1 else 'are'} {there}"
        hint = f"Start more (--processes {wanted}, or --master --expect-workers {wanted}), or name at most {there}."
        return Fault("scale_workers", shown, problem, hint)

    def _begin_record(self, run: Run) -> None:
        """Start the record of this run."""
        runner = self._environment.runner
        workers = runner.worker_count if isinstance(runner, MasterRunner) else 1
        run.plan = self._plan
        if run.finder is not None:
            run.finder.begin(int(workers))
        if self._resources.answered is not None:
            if run.earlier is not None:
                check_same_data(run.earlier, run.fingerprint, self._resources.answered)
                self._environment.shape_class.begin_with(len(run.earlier.results))
                self._ending.objections = join_objections(run.earlier.objections, self._ending.objections)
            run.labels = self._ending.begin(run, self._resources.answered, workers, self._resources.find_sharers)
            self._resources.name_run(run.record_id)
        self.on_begin(run.settings)
        self._run_display.begin()
        self._coordinator.teach()
        self._asking.commit()
        self._environment.process_exit_code = None

    def _undo(self) -> None:
        """Undo the start: no run, none of its settings, no lease on the collection."""
        self._progress.rest()
        self._coordinator.end_run()
        self._asking.roll_back()
        self._resources.release()

    def _refuse(self, words: str) -> NoReturn:
        self._undo()
        self._ending.refuse(words)
        self._environment.process_exit_code = CANNOT_START
        runner = self._environment.runner
        if self._environment.web_ui is None:
            self._run_display.close()
            if isinstance(runner, MasterRunner):
                runner.send_message("quit")
                gevent.sleep(QUIT_SECONDS)
            leave(words, CANNOT_START)
        reported = f"The run did not begin: {words}"
        self._run_display.refuse(reported)
        forget_shape(runner)  # a stop() now would record it
        raise StopTest(reported)
