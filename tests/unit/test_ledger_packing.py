"""What is over takes little memory and is not sent again, and counts as before."""

from loadgen.control.merged_ledger import MergedLedger
from loadgen.measure.ledger import Ledger
from loadgen.measure.sample import Mode
from tests.unit.test_ledger import PHASES, sample
from tests.unit.worker_support import over_the_wire


def test_packed_parts_of_earlier_phases_count_and_can_be_replaced() -> None:
    worker, master = Ledger(), MergedLedger()
    worker.open(PHASES[0], 100.0, 110.0)
    worker([sample(101.0), sample(102.0)])
    for agent in "ab":
        master.merge(over_the_wire(worker.take_report(103.0)), agent)
    before = master.windows[0].operation_stats[Mode.SYNC, "search"].response.encode()
    times = [piece.times.counts for piece in master.windows[0].slices["search"]]
    master.settle_before(1)
    assert master.windows[0].operation_stats[Mode.SYNC, "search"].response.encode() == before
    assert [piece.times.counts for piece in master.windows[0].slices["search"]] == times
    assert all(piece.times.is_settled for piece in master.windows[0].slices["search"] if piece.operations)
    worker([sample(103.0)])
    master.merge(over_the_wire(worker.take_report(111.0)), "a")
    assert master.windows[0].operation_stats[Mode.SYNC, "search"].operations == 3 + 2


def test_a_report_omits_the_slices_that_the_master_has_confirmed_and_they_still_count() -> None:
    worker, master = Ledger(), MergedLedger()
    worker.open(PHASES[0], 100.0, 110.0)
    worker([sample(100.0 + second) for second in range(5)])
    first = over_the_wire(worker.take_report(105.0))
    sent = [number for number, _ in first["windows"][0]["slices"]["search"]]
    master.merge(first, "a")
    worker.confirm(first["sequence"])
    worker([sample(105.0)])
    second = over_the_wire(worker.take_report(106.0))
    again = [number for number, _ in second["windows"][0]["slices"]["search"]]
    assert set(again) < {*sent, *again}, "those that may still change"
    master.merge(second, "a")
    worker([sample(101.5)])
    late = over_the_wire(worker.take_report(107.0))
    assert sample_slice(101.5) in [number for number, _ in late["windows"][0]["slices"]["search"]], "it has changed"
    master.merge(late, "a")
    pieces = worker.windows[0].slices["search"]
    assert [piece.times.counts for piece in master.windows[0].slices["search"]] == [one.times.counts for one in pieces]
    assert sum(piece.operations for piece in master.windows[0].slices["search"]) == 7


def sample_slice(finished: float) -> int:
    """The number of the slice in which an operation of the first phase ended."""
    return int(finished - 100.0)
