"""What a verdict warns of: what was lost, dropped, late or hardly watched."""

from loadgen.measure.sample import Mode, Outcome
from loadgen.results.record import Outside, TaskErrorRecord
from loadgen.results.verdict import explain
from tests.unit.record_support import phase, record


def test_runs_that_searched_the_same_collection_are_warned_of() -> None:
    alone = record(phase("sync", 8))
    for shared, reported in (
        (("run-1",), "The collection was also searched by run run-1, which shared the server"),
        (("run-1", "run-2"), "The collection was also searched by runs run-1 and run-2, which shared the server"),
    ):
        manifest = alone.manifest.model_copy(update={"shared_with": shared})
        warnings = explain(alone.model_copy(update={"manifest": manifest})).warnings
        assert [warning for warning in warnings if warning.startswith(reported)]
    assert not [warning for warning in explain(alone).warnings if "as well" in warning]


def test_dropped_arrivals_lost_workers_and_a_saturated_generator_are_warned_of() -> None:
    phases = (
        phase("sync", None, model="constant", rate=50.0, dropped=120),
        phase("async", None, model="constant", rate=50.0, workers_lost=1, saturated=True),
    )
    dropped, lost, saturated = explain(record(*phases)).warnings
    assert dropped.startswith("Arrivals got no concurrency slot in time and were never sent: 120 with sync.")
    assert lost == "Workers were lost in phase 2: the load was lower than requested."
    assert saturated.startswith(
        "The load generator was at its limit in phase 2 (50 % of a core, event loop 1 ms late at p99, Locust's hub 2 ms"
    )


def test_a_generator_that_was_hardly_watched_is_warned_of_and_one_of_which_it_is_not_known_is_not() -> None:
    shares = (0.49, 0.5, None, 0.0)
    phases = (phase("sync", 8, generator={"watched_share": share}) for share in shares)
    [warning] = explain(record(*phases)).warnings
    assert warning.startswith("The load generator's CPU and lags were not sampled for most of phases 1 and 4: it may")


def task_error(count: int, error: str = "TypeError", place: str = "search.py:8") -> TaskErrorRecord:
    return TaskErrorRecord(variant=Mode.ASYNC, error=error, place=place, count=count)


def test_exceptions_of_tasks_are_warned_of_with_their_most_frequent_kind_and_their_phases() -> None:
    one = explain(record(phase("sync", 8, task_errors=(task_error(1),)))).warnings
    assert one[0].startswith("Tasks raised 1 exception, TypeError at search.py:8 in phase 1: the rest of these tasks")
    phases = [phase("sync", 8, task_errors=(task_error(700), task_error(2, "KeyError"))) for _ in range(2)]
    given = record(phases[0], phase("async", 8), phases[1], task_errors_outside=(task_error(40, "other", ""),))
    [reported] = [warning for warning in explain(given).warnings if warning.startswith("Tasks")]
    assert reported.startswith(
        "Tasks raised 1,444 exceptions, mostly TypeError at search.py:8 (1,400) in phases 1 and 3 and outside the "
        "phases (40): "
    )


def test_late_beats_that_are_too_few_for_a_limit_are_warned_of_with_their_phases() -> None:
    once = {"hub_late_beats": 1, "hub_lag_max_seconds": 0.129, "hub_lag_p99_seconds": 0.129}
    twice = {"loop_late_beats": 2, "loop_lag_max_seconds": 0.21, "loop_lag_p99_seconds": 0.2}
    arrivals = {"late_arrivals": 2, "pace_lag_max_seconds": 0.3, "pace_lag_p99_seconds": 0.2}
    rare = {"loop_late_beats": 2, "loop_lag_max_seconds": 0.21, "loop_lag_p99_seconds": 0.004}
    often = {"loop_late_beats": 9, "loop_lag_max_seconds": 0.21, "loop_lag_p99_seconds": 0.2, "saturated": True}
    states = (once, twice | arrivals, once | twice, rare)
    loop, hub, pace = explain(record(*(phase("async", 8, generator=state) for state in states))).warnings
    held = "which does not limit the generator, but may be part of the p99."
    assert (
        loop
        == f"The event loop was late in phase 2 (2 times, up to 210 ms) and phase 3 (2 times, up to 210 ms), {held}"
    )
    assert hub == (
        "Locust's hub was late in phase 1 (1 time, up to 129 ms) and phase 3 (1 time, up to 129 ms), "
        "which does not limit the generator: no measured time depends on the hub."
    )
    assert pace == f"Arrivals were started late in phase 2 (2 arrivals, up to 300 ms), {held}"
    (reported,) = explain(record(phase("async", 8, generator=often))).warnings
    assert reported.startswith("The load generator was at its limit in phase 1")


def test_a_stall_at_the_end_of_a_phase_is_warned_of_and_a_usual_end_is_not() -> None:
    usual = phase("sync", 8, unfinished=8, longest_unfinished_seconds=0.019)
    hiccup = phase("sync", 8, unfinished=8, longest_unfinished_seconds=0.09)
    assert explain(record(hiccup)).warnings == (), "less than a tenth of a second"
    stalled = phase("async", 8, unfinished=8, longest_unfinished_seconds=2.5)
    (reported,) = explain(record(usual, stalled)).warnings
    assert reported == (
        "When phase 2 ended, 8 operations waited or were in flight, one for 2,500 ms. The longest that ended "
        "took 10 ms: no figure shows the stall."
    )


def test_failures_outside_of_the_phases_are_warned_of() -> None:
    outside = Outside(variant=Mode.SYNC, operation="search", outcomes={Outcome.OK: 80, Outcome.THROTTLED: 20})
    (reported,) = explain(record(phase("sync"), phase("async"), outside=(outside,))).warnings
    assert reported == (
        "Outside the phases (in warm-ups, or after a phase ended) 20 of 100 operations failed, "
        "including those that the end of the run cut off."
    )


def test_a_phase_in_which_no_operation_ended_is_warned_of() -> None:
    hung = phase("async", 8).model_copy(update={"operations": ()})
    assert explain(record(phase("sync", 8), hung, hung)).warnings == (
        "No operation ended in phases 2 and 3: stalled operations lower the throughput but appear in no percentile.",
    )
