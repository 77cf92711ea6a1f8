"""Nested operations outside of all phases, such as those of a warm-up, are added up over the workers."""

from loadgen.control.merged_ledger import MergedLedger
from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample


def ask(moment: float, outcome: Outcome) -> list[Sample]:
    """An `ask`, which is answered, and the search within."""
    search = Sample(Mode.SYNC, "search", moment - 0.2, moment - 0.2, moment - 0.1, outcome, 1, nested=True)
    return [search, Sample(Mode.SYNC, "ask", moment - 0.3, moment - 0.3, moment, Outcome.OK, 1)]


def test_nested_operations_outside_of_phases_are_counted_over_all_workers_apart_from_the_outer_ones() -> None:
    master = MergedLedger()
    for name, outcomes in (("one", [Outcome.OK, Outcome.TIMEOUT]), ("two", [Outcome.OK])):
        worker = Ledger()
        worker.open(Phase(0, Mode.SYNC, 8, seconds=10), 100.0, 110.0)
        for outcome in outcomes:
            worker(ask(99.0, outcome))
        worker(ask(105.0, Outcome.OK))
        master.merge(worker.take_report(111.0), name)
    assert master.nested_outside == {(Mode.SYNC, "search"): {Outcome.OK: 2, Outcome.TIMEOUT: 1}}
    assert master.outside == {(Mode.SYNC, "ask"): {Outcome.OK: 3}}
