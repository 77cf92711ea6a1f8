"""The results of phases, as the end of a run has them."""

from loadgen.measure.ledger import RunCounts
from loadgen.results.phase_result import PhaseResult, PhaseResults


def results_of(ledger: RunCounts) -> tuple[PhaseResult, ...]:
    """All phases of a ledger that were measured."""
    return PhaseResults().take(ledger.windows.values())
