"""Steps of a rate search against a server of known capacity, as the coordinator counts them."""

import pytest

from loadgen.control import rate_finder
from loadgen.control.rate_finder import RateFinder
from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Outcome, Sample
from loadgen.measure.window import Window
from loadgen.settings.model import Settings
from tests.unit.beats import watch

FAST, SLOW = 0.02, 0.08
"""Response times below and above the capacity."""
SETTINGS = {"find_rate": "search p99 < 50 ms, search failures < 1 %", "arrival": "constant"}


def run_step(phase: Phase, capacity: float, fails: float = 0.0) -> Window:
    """The counts of one step: all operations take as long as the load demands; a share fails."""
    ledger = Ledger()
    ledger.open(phase, 0.0, phase.seconds)
    number = int(phase.rate * phase.seconds)
    took = FAST if phase.rate < capacity else SLOW
    samples = []
    for place in range(number):
        ended = (place + 0.5) * phase.seconds / number
        outcome = Outcome.FAILED if place < fails * number else Outcome.OK
        samples.append(Sample(phase.variant, "search", ended - took, ended - took, ended, outcome, 10))
    ledger(samples)
    watch(ledger, 0.0, phase.seconds)
    return ledger.windows[phase.number]


def search(patch: pytest.MonkeyPatch, steps: int = 100, **given: object) -> RateFinder:
    """A search over: sync can do 100/s, async 300/s; or only its first steps."""
    now = [0.0]
    patch.setattr(rate_finder, "perf_counter", lambda: now[0])
    finder = RateFinder(Settings.parse(SETTINGS | given))
    phases = list(finder.first_phases())
    finder.begin(2)
    for number in range(steps):
        phase = phases[number] if number < len(phases) else finder.next_phase(number)
        if phase is None:
            break
        finder.open(phase)
        now[0] += phase.seconds + phase.warmup_seconds + 1.0
        finder.observe(phase, run_step(phase, 100 if phase.variant == "sync" else 300))
    return finder
