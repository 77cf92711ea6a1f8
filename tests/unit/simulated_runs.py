"""Records of runs whose speed and noise are known."""

import numpy as np

from loadgen.results.record import PhaseRecord, RunRecord
from loadgen.results.regressions import RegressionVerdict, find_regressions
from tests.unit.record_support import phase, record, timed


def run(
    speed: float = 100, seconds: float = 0.01, noise: float = 0.0, seed: int = 0, levels: tuple[int, ...] = (8,)
) -> RunRecord:
    """Two rounds of both modes; phases and slices scatter by `noise`."""
    rng = np.random.default_rng(seed)
    phases: list[PhaseRecord] = []
    for users in levels:
        for mode in ("sync", "async", "async", "sync") * 2:
            level = speed * np.exp(noise * rng.normal())
            rates = [float(level * np.exp(noise * rng.normal())) for _ in range(10)]
            phases.append(phase(mode, users, timed(rates, seconds, recall=None)))
    return record(*phases)


def verdicts(old: RunRecord, new: RunRecord, tolerance: float = 0.05) -> dict[tuple[str, str], RegressionVerdict]:
    """What is said of each figure of each variant."""
    return {(f.series.variant, f.figure): f.verdict for f in find_regressions(old, new, tolerance)}
