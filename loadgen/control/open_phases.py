"""Phases of the open model: they run to their end, or as steps of a search until their backlog grows without bound."""

from collections.abc import Callable

from loadgen.control.agents import Agents, summed
from loadgen.control.messages import CountBacklog
from loadgen.control.rate_finder import RateFinder
from loadgen.control.rate_split import Splitting
from loadgen.control.report_collection import ReportCollector
from loadgen.control.run import Run
from loadgen.measure.phase import Phase

COUNT_WITHIN = 1.0
"""Seconds for all agents to count their backlog."""


def measure_arrivals(
    run: Run, phase: Phase, parts: tuple[Agents, ReportCollector], on_open: Callable[[Phase], object]
) -> None:
    """Let an open phase run; `on_open` is called when its first arrivals are due. Raises PlanBrokenError."""
    splitting, finder = Splitting(parts[0], phase, run.labels), run.finder
    if finder is None:
        splitting.measure(on_open)
        return
    finder.open(phase)
    splitting.measure(on_open, lambda elapsed: _look(finder, phase, elapsed, parts))


def _look(finder: RateFinder, phase: Phase, elapsed: float, parts: tuple[Agents, ReportCollector]) -> bool:
    """Whether the step need not go on; it does if an agent has not answered."""
    agents, gathering = parts
    answers = agents.ask_all(CountBacklog(), within=COUNT_WITHIN)
    if not answers or len(answers) < len(agents.present()):
        return False
    return finder.look(phase, elapsed, {name: summed(answers, name) for name in answers[0]}, gathering.window)
