"""Carries out a rate search: names the next phase, watches it, and learns from how it ended."""

import logging
from collections.abc import Mapping, Sequence
from time import perf_counter

from loadgen.control.rate_judging import Conditions, StepResult, find_rest, mean_responses
from loadgen.control.rate_search import Backlog, RateFinding, RateSearchOutcome, SearchPlan, SearchTurns, Step
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode
from loadgen.measure.window import Window
from loadgen.results.phase_result import finalise
from loadgen.results.record import RateFindingRecord, RateSearchRecord, RateStepRecord
from loadgen.results.requirements import read_rate_conditions
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from loadgen.settings.rate_search import is_search
from loadgen.settings.variants import find_variants

logger = logging.getLogger("loadgen")


class RateFinder:
    """The search of one run. Used on the hub only."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingsError if the conditions cannot be read."""
        variants = find_variants(settings)
        every, faults = read_rate_conditions(settings.find_rate, [one.name for one in variants])
        if faults:
            raise SettingsError(faults)
        self._settings = settings
        self._modes = {one.name: Mode(one.mode) for one in variants}
        self._conditions = Conditions(tuple(every), settings.max_in_flight)
        limit = max((one.limit for one in every if one.is_upper_time), default=0.0)
        plan = SearchPlan(settings.phase_seconds, settings.warmup_seconds, settings.find_within, limit)
        self._turns = SearchTurns(list(self._modes), plan)
        self._steps: dict[int, Step] = {}
        self._results: list[tuple[Step, StepResult]] = []
        self._processes = 1
        self._since = 0.0
        self._backlog = Backlog(1.0)
        self._grew = False

    @property
    def is_over(self) -> bool:
        """True if no step follows."""
        return self._turns.is_over

    def first_phases(self) -> tuple[Phase, ...]:
        """The first step of each variant."""
        return tuple(self._make_phase(number, step) for number, step in enumerate(self._turns.first_steps()))

    def begin(self, processes: int) -> None:
        """The run begins, with this number of load-generating processes."""
        self._processes = processes
        self._conditions = Conditions(self._conditions.every, self._settings.max_in_flight * processes)
        self._since = perf_counter()
        logger.info("%s", self._turns.announce())

    def next_phase(self, number: int) -> Phase | None:
        """The next step as the phase of this number; None after the last."""
        step = self._turns.next()
        return None if step is None else self._make_phase(number, step)

    def _make_phase(self, number: int, step: Step) -> Phase:
        self._steps[number] = step
        return Phase(
            number,
            self._modes[step.variant],
            0,
            step.seconds,
            step.warmup_seconds,
            model=self._settings.arrival,
            rate=step.rate,
            variant=step.variant,
            note=self._describe(step),
        )

    def _describe(self, step: Step) -> str:
        """What is known of the edge of a variant, for log and page."""
        trials = self._turns.searches[step.variant].trials
        passed = max((one.rate for one in trials if one.verdict.passes), default=0.0)
        failed = min((one.rate for one in trials if not one.verdict.passes), default=0.0)
        parts = [f"passed up to {passed:g}/s"] if passed else []
        parts += [f"failed from {failed:g}/s"] if failed else []
        return ", ".join([*parts, f"{self._turns.left:.0f} s of the search left"])

    # A step in progress

    def open(self, phase: Phase) -> None:
        """The arrivals of a step begin."""
        self._backlog, self._grew = Backlog(phase.rate), False

    def look(self, phase: Phase, elapsed: float, counts: Mapping[str, int], window: Window | None) -> bool:
        """Whether the step need not go on, since its backlog grows without bound; `counts` are of all processes."""
        self._backlog.look(elapsed, counts["waiting"] + counts["in_flight"], counts["dropped"])
        measured = elapsed - phase.warmup_seconds
        self._grew = measured > 0 and self._backlog.grows(mean_responses(window, measured))
        return self._grew

    def observe(self, phase: Phase, window: Window | None) -> float:
        """A step is over; returns how many seconds the server should rest before the next one."""
        step, now = self._steps[phase.number], perf_counter()
        if window is None or window.seconds <= 0:
            return 0.0
        result = finalise(window)
        judged = self._conditions.judge(result, self._backlog, self._grew)
        self._results.append((step, judged))
        self._turns.observe(step, judged.verdict, now - self._since)
        self._since = now
        reported = "passes" if judged.verdict.passes else f"fails: {judged.verdict.reason}"
        logger.info("%g/s with %s %s", step.rate, step.variant, reported)
        return find_rest(result.record, passes=judged.verdict.passes)

    # The result

    def as_record(self) -> RateSearchRecord:
        """All steps so far, and the results; none is claimed of a search that is not over."""
        return RateSearchRecord(
            conditions=self._conditions.as_records(),
            within_seconds=self._settings.find_within,
            processes=self._processes,
            steps=tuple(_as_step(step, judged) for step, judged in self._results),
            findings=tuple(
                RateFindingRecord(
                    variant=name, outcome=one.outcome.value, rate=one.rate, low=one.low, high=one.high,
                    reason=one.reason,
                )
                for name, one in self._find().items()
            ),
        )  # fmt: skip

    def _find(self) -> dict[str, RateFinding]:
        """The result of each variant: none where a condition on checked answers was never judged."""
        result = self._turns.find()
        for name, one in result.items():
            passed = [judged for step, judged in self._results if step.variant == name and judged.verdict.passes]
            is_over = one.outcome is not RateSearchOutcome.UNFINISHED
            if is_over and (why := self._conditions.find_unchecked(name, passed)):
                lowest = min(step.rate for step, _ in self._results if step.variant == name)
                result[name] = RateFinding(RateSearchOutcome.NONE, lowest, reason=why)
        return result


def _as_step(step: Step, judged: StepResult) -> RateStepRecord:
    verdict = judged.verdict
    return RateStepRecord(
        variant=step.variant,
        rate=step.rate,
        seconds=judged.seconds,
        passes=verdict.passes,
        reason=verdict.reason,
        is_generator=verdict.is_generator,
        throughput=verdict.throughput,
        values=judged.values,
    )


def find_rate_finder(settings: Settings, plan: Sequence[Phase]) -> RateFinder | None:
    """The search that a run with these settings makes; None if it makes none."""
    if not plan or not is_search(settings):
        return None
    finder = RateFinder(settings)
    finder.first_phases()
    return finder
