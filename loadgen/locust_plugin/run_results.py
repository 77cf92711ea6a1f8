"""The end of a run: compare its levels, write its record, judge its requirements, print its tables."""

from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from loadgen.control.exit_codes import COMPLETE, SHORT_OF, End, find_exit_code
from loadgen.control.run import Run
from loadgen.locust_plugin.preparation.result_settings import failure_limit, is_tolerant, most_empty
from loadgen.locust_plugin.preparation.variant_setup import make_resolver
from loadgen.locust_plugin.record_upload import RecordUpload
from loadgen.locust_plugin.recording import FindSharers, Recorder
from loadgen.locust_plugin.report_beside import find_report, write_beside
from loadgen.measure.ledger import RunCounts
from loadgen.measure.phase import Phase
from loadgen.milvus.store import ServerInfo
from loadgen.reports.console import print_tables
from loadgen.reports.console_rates import print_rate_search
from loadgen.reports.console_sweeps import print_sweeps
from loadgen.results.comparison_plan import find_comparison_plan
from loadgen.results.fault_results import count_expected
from loadgen.results.levels import LevelResult, LevelResults
from loadgen.results.phase_result import PhaseResult, PhaseResults
from loadgen.results.record import RunRecord, as_block
from loadgen.results.requirements import (
    Judgement,
    Requirement,
    find_proven,
    judge,
    judge_empty,
    judge_faults,
    parse_requirements,
)
from loadgen.results.resuming import Identity
from loadgen.results.verdict import explain, find_unfound
from loadgen.runtime.hub import run_in_thread
from loadgen.settings.model import Settings
from loadgen.settings.variants import find_variants
from loadgen.text.listing import count_of, name_phases
from loadgen.text.plain_text import one_line

NOT_BEGUN = "the run never began"
ENDED_BEFORE = "the run ended before it began, for example by a --run-time that is shorter than opening the stores"
NOT_CONCLUDED = "the end of the run failed, so nothing was judged: see the log"
LONGEST_LINE = 20_000
"""Maximum characters of one line of the verdict."""


class RunFinalizer:
    """One per process that coordinates runs; reset by every run."""

    def __init__(self, ledger: RunCounts, secret_flags: Collection[str] = ()) -> None:
        self._ledger = ledger
        self._secret_flags = secret_flags
        self._settings = Settings()
        self._run: Run | None = None
        self._upload = RecordUpload("")
        self._recorder: Recorder | None = None
        self._draft: Recorder | None = None
        self._results = PhaseResults()
        self._compared = LevelResults(0)
        self._levels: list[LevelResult] = []
        self._judgements: list[Judgement] = []
        self._told = True
        self._is_starting = False
        self._looked_after: set[Phase] = set()
        """The phases, and attempts at them, after which the server was asked what it did."""
        self.code = COMPLETE
        """The exit code of the latest run."""
        self._why = ""
        self.objections: Mapping[str, tuple[str, ...]] = {}
        """Reasons why comparisons of a variant are invalid, known before the run."""
        self.identity: Identity | None = None
        """What makes another start the same run; None if none may continue it."""

    def expect(self) -> None:
        """A run is being prepared; the reason to report if the process ends before it begins."""
        self._is_starting = True

    def begin(self, run: Run, server: ServerInfo, workers: int, find_sharers: FindSharers = tuple) -> dict[str, str]:
        """Begin a new run, on a server that has answered, with the number of load-generating processes.

        `find_sharers` returns the other runs that use the collection. Returns the labels of this run in the metrics:
        `run_id` and `server`.
        """
        settings = self._settings = run.settings
        self._run = run
        self._levels, self._results = [], PhaseResults()
        self._compared = LevelResults(
            settings.seed, find_comparison_plan(settings), self.objections, most_empty(settings)
        )
        self._recorder = Recorder(settings, server, workers, run.record_id, find_sharers)
        if self.identity is not None:
            self._recorder.keep_state(self.identity, self.objections)
        draft = settings.model_copy(update={"record": ""})
        self._draft = Recorder(draft, server, workers, run.record_id, find_sharers)
        for recorder in (self._recorder, self._draft):
            if run.earlier is not None:
                recorder.resume(run.earlier)
                continue
            recorder.hide(self._secret_flags)
            recorder.expect(len(run.plan))
            recorder.name_data(run.fingerprint)
            recorder.describe_collections(run.loaded)
            if run.collections:
                recorder.describe(settings, make_resolver(run.collections))
            recorder.note_selectivities(run.selectivities)
        self._upload.close()
        self._upload = RecordUpload(settings.record_url)
        self._told = self._is_starting = False
        self.code, self._why = SHORT_OF, NOT_CONCLUDED  # until it is, whatever fails before that
        self._looked_after.clear()
        run_in_thread(run.look_at_server)
        return {"run_id": run.record_id, "server": str(server)}

    def refuse(self, words: str) -> None:
        """A run did not begin."""
        self._run = self._recorder = self._draft = None
        self._told, self._is_starting = True, False
        self.code, self._why = find_exit_code(End(refused=words))

    def keep(self) -> None:
        """A phase is over: write the record."""
        if self._recorder is not None:
            self._look_at_server()
            self._note_search()
            self._recorder.keep(self._take(), self._ledger)
            self._upload.store(self._recorder.path)

    def _note_search(self) -> None:
        """A search for a rate adds phases to the plan, and findings to the record."""
        if self._run is None or self._run.finder is None:
            return
        result = self._run.finder.as_record()
        for recorder in (self._recorder, self._draft):
            if recorder is not None:
                recorder.note_search(result)
                recorder.expect(len(self._run.plan))

    def _look_at_server(self) -> None:
        """Ask the server what it did in the latest phase, once."""
        ended = [window for window in self._ledger.windows.values() if window.seconds > 0]
        latest = max(ended, key=lambda window: window.phase.number, default=None)
        if latest is not None and self._run is not None and latest.phase not in self._looked_after:
            self._looked_after.add(latest.phase)
            latest.server = run_in_thread(self._run.look_at_server)

    def _take(self) -> tuple[PhaseResult, ...]:
        """A snapshot of the phases so far: the next one may begin meanwhile."""
        earlier = self._run.earlier if self._run is not None else None
        return (*(earlier.results if earlier else ()), *self._results.take(list(self._ledger.windows.values())))

    @property
    def path(self) -> Path | None:
        """The record's file; None before the first phase is over, or if none is kept."""
        return self._recorder.path if self._recorder else None

    @property
    def levels(self) -> list[LevelResult]:
        """The levels as compared at the end of the run."""
        return self._levels

    @property
    def words(self) -> list[str]:
        """The explanation of the record, line by line."""
        return _say(self._recorder)

    def compare(self) -> tuple[list[LevelResult], list[str]]:
        """The levels so far, and the explanation if the run ended now.

        Takes some 0.2 s for each operation at each level: call it on a thread, between phases.
        """
        results = self._take()
        self._note_search()
        levels = self._compared.take(results)
        if self._draft is not None:  # comparisons are written to the file only at the end
            self._draft.keep(results, self._ledger, levels)
        return levels, _say(self._draft)

    def conclude(self, environment: Any, interrupted_by: int = 0) -> None:
        """The run is over: compare, write, judge, and set Locust's exit code.

        `interrupted_by` is the number of the received signal, 0 for none.
        """
        no_run = self._recorder is None or self._run is None
        if self._is_starting or (no_run and interrupted_by and environment.web_ui is None):
            refused = "" if interrupted_by else ENDED_BEFORE
            end = End(refused=refused, interrupted_by=interrupted_by, incomplete=NOT_BEGUN)
            self.code, self._why = find_exit_code(end)
            if environment.web_ui is None:
                environment.process_exit_code = environment.process_exit_code or self.code
            return
        if self._recorder is None or self._run is None or self._told:
            return
        settings = self._settings
        self._look_at_server()
        if self._run.loaded:
            self._recorder.describe_collections(self._run.loaded, run_in_thread(self._run.count_segments))
        self._note_search()
        results = self._take()  # last: reports may arrive while the server is asked
        self._levels = self._compared.take(results)
        self._recorder.keep(results, self._ledger, self._levels, self._run.incomplete)
        self._upload.store(self._recorder.path)
        self._finish_upload()
        wanted = self._parse_requirements()
        self._judgements = judge(self._recorder.record, wanted, failure_limit(settings))
        self._judgements += judge_empty(self._recorder.record, most_empty(settings))
        self._judgements += judge_faults(self._recorder.record)
        self.code, self._why = find_exit_code(self._find_end(environment, self._run, interrupted_by))
        environment.process_exit_code = environment.process_exit_code or self.code

    def _parse_requirements(self) -> list[Requirement]:
        return parse_requirements(self._settings.require, [one.name for one in find_variants(self._settings)])

    def _find_end(self, environment: Any, run: Run, interrupted_by: int) -> End:
        assert self._recorder is not None  # noqa: S101 - checked by the caller
        record, search = self._recorder.record, self._recorder.record.rate_search
        failed = self._ledger.failed + sum(self._ledger.dropped_outside.values())
        failed += sum(window.flow.dropped for window in self._ledger.windows.values()) - count_expected(record)
        failed += run.earlier.failed if run.earlier is not None else 0
        failures = [f"{count_of(failed, 'operation')} failed or were dropped"] if failed else []
        failures += [f"tasks raised {count_of(record.task_errors, 'exception')}"] if record.task_errors else []
        return End(
            interrupted_by=interrupted_by if run.early else 0,
            incomplete=run.incomplete,
            unmeasured="" if search else _find_unmeasured(record),
            unrecorded="; ".join(one for one in (self._recorder.problem, self._upload.problem) if one),
            missed=(
                *(f"missed: {each.text}" for each in self._judgements if not each.met),
                *(find_unfound(search, find_proven(record, self._parse_requirements())) if search else ()),
            ),
            failures="" if is_tolerant(self._settings) else "; ".join(failures),
            failures_code=int(environment.parsed_options.exit_code_on_error),
        )

    def tell_code(self, out: TextIO) -> None:
        """Print why the exit code is not 0: the last line of a run."""
        if self.code and self._why:
            out.write(f"Exit code {self.code}: {self._why}.\n")
            out.flush()

    def tell(self, out: TextIO, *, hurry: bool = False) -> None:
        """Print the results once, then render the report; after an interrupt, wait for it only briefly."""
        if self._recorder is None or self._told:
            return
        self._told = True
        if (search := self._recorder.record.rate_search) is not None:
            print_rate_search(search, out)
        else:
            print_tables(self._take(), self._levels, out, most_empty(self._settings))
            print_sweeps(self._recorder.record.sweeps, out)
        lines = [*self.words, *(str(each) for each in self._judgements)]
        if self._recorder.path is not None:
            lines.append(f"Run record: {self._recorder.path}")
        out.write("".join(f"{one_line(line, LONGEST_LINE)}\n" for line in lines))
        if self._settings.print_record:
            out.write(as_block(self._recorder.record))
        out.flush()
        if self._recorder.path is not None and self._settings.report != "none":
            report = partial(write_beside, self._recorder.path, self._settings.report, hurry=hurry)
            out.write(f"{one_line(run_in_thread(report))}\n")
            self._store_report(self._recorder.path, self._settings.report)
        if self._upload.url and self._recorder.path is not None:
            out.write(f"{one_line(self._upload.tell(self._recorder.path.name))}\n")
        out.flush()

    def _finish_upload(self) -> None:
        if self._upload.url:
            run_in_thread(self._upload.finish)

    def _store_report(self, record: Path, form: str) -> None:
        """Store the report too, if it was rendered in time; the run fails if it cannot be."""
        path = find_report(record, form)
        if self._upload.problem or not self._upload.url or not path.exists():
            return
        self._upload.store(path)
        self._finish_upload()
        if problem := self._upload.problem:
            self.code, self._why = self.code or SHORT_OF, "; ".join(one for one in (self._why, problem) if one)


def _say(recorder: Recorder | None) -> list[str]:
    return explain(recorder.record).lines() if recorder is not None and recorder.record.phases else []


def _find_unmeasured(record: RunRecord) -> str:
    """Phases in which no operation ended; for an aborted plan, only if that is all of them."""
    idle = [number for number, phase in enumerate(record.phases, 1) if not any(part.count for part in phase.operations)]
    if len(idle) == len(record.phases):
        return "nothing was measured"
    return f"nothing was measured in {name_phases(idle)}" if idle and not record.incomplete else ""
