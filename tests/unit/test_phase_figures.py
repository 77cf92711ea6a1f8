"""The figures of one phase: percentiles under their own names, and slices where nothing ended."""

import pytest

from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample
from tests.unit.result_support import results_of


def test_percentiles_have_their_own_names() -> None:
    ledger = Ledger()
    ledger.open(Phase(0, Mode.SYNC, 1, seconds=10.0), 100.0, 110.0)
    times = [number / 1000 for number in range(1, 1001)]
    ledger([Sample(Mode.SYNC, "search", 105.0 - one, 105.0 - one, 105.0, Outcome.OK, 1) for one in times])
    ledger.close(110.0)
    [result] = results_of(ledger)
    results = result.record.operations[0].response_seconds
    names = ("mean", "p50", "p90", "p95", "p99", "p99_9", "max")
    expected = (0.5005, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0)
    assert [getattr(results, name) for name in names] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("seconds", "number"), [(20.0, 20), (6.0, 12), (1.0, 5)])
def test_an_operation_of_which_none_ended_has_empty_slices_of_the_whole_phase(seconds: float, number: int) -> None:
    ledger = Ledger()
    ledger.open(Phase(0, Mode.SYNC, 1, seconds=seconds), 100.0, 100.0 + seconds)
    ledger.close(100.0 + seconds)
    [result] = results_of(ledger)
    pieces = result.sliced("search").slices.pieces
    assert [(piece.seconds, piece.operations) for piece in pieces] == [(seconds / number, 0)] * number
