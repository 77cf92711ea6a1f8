"""The A/A test: a variant compared with itself in real runs. Its intervals must contain 1 as often as they claim."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TextIO

from rich.table import Table

from loadgen.calibrate.commands import CalibrationError
from loadgen.calibrate.driver import Driver
from loadgen.calibrate.plan import DelayProfile, Drive
from loadgen.milvus.server.delays import Delays
from loadgen.results.record import RunRecord
from loadgen.results.record.model import Comparison, Ratio
from loadgen.text.plain_text import new_console

VARIANTS = "async; async"
PHASES = 8
"""Phases of one run: two rounds of A B B A."""
BASE, JITTER = 0.020, 0.005
"""Seconds: each delay is the base and an exponential time with this mean, so that p99 varies between phases."""
CERTAINTY = 0.95
"""Nominal coverage of the intervals."""
CHANCE = 0.02
"""Probability with which sound intervals may miss the target of one figure."""
WIDTH = 120
NOTES = """\
Both sides are the same, so the true ratios are 1. An interval of 95 % misses 1 in one of twenty runs, by chance.
Invalid runs (the load generator was the limit, say) count as misses: run it again on a machine with less other work.
"""


@dataclass(frozen=True, slots=True)
class RatioInterval:
    """A ratio of the second side to the first, with its 95 % interval."""

    estimate: float
    low: float
    high: float

    @property
    def contains_one(self) -> bool:
        """True if no difference is claimed, which is correct here."""
        return self.low <= 1 <= self.high


@dataclass(frozen=True, slots=True)
class AARun:
    """The result of one run with two equal sides. Ratios are None if a side was never answered."""

    throughput: RatioInterval | None
    p99: RatioInterval | None
    invalid: tuple[str, ...]
    """The reasons of an invalid comparison; empty if it is valid."""

    def contains_one(self, figure: str) -> bool:
        """Whether the interval of `throughput` or `p99` contains 1; False for an invalid comparison."""
        interval: RatioInterval | None = getattr(self, figure)
        return interval is not None and not self.invalid and interval.contains_one


@dataclass(frozen=True, slots=True)
class Count:
    """In how many runs the interval of one figure contains 1."""

    figure: str
    """`throughput` or `p99`."""
    containing: int
    needed: int
    runs: int

    @property
    def met(self) -> bool:
        """True if it is often enough."""
        return self.containing >= self.needed


def needed(runs: int) -> int:
    """How many of `runs` intervals must contain 1: the 2 % quantile of the binomial law with p = 0.95.

    That is the smallest k with P(X <= k) >= 0.02: 17 of 20, which sound intervals miss with probability 0.016. Counting
    misses against the binomial law is Kupiec's test of coverage (1995, Techniques for verifying the accuracy of risk
    measurement models).
    """
    below = 0.0
    for count in range(runs + 1):
        below += math.comb(runs, count) * CERTAINTY**count * (1 - CERTAINTY) ** (runs - count)
        if below >= CHANCE:
            return count
    return runs


def count_all(runs: Sequence[AARun]) -> list[Count]:
    """The counts of both figures."""
    least = needed(len(runs))
    return [
        Count(figure, sum(run.contains_one(figure) for run in runs), least, len(runs))
        for figure in ("throughput", "p99")
    ]


def make_drive(number: int, seconds: float) -> Drive:
    """The command of one run: waiting users, phases of `seconds`, other delays of the same law in each phase."""
    seeds = range(number * PHASES, (number + 1) * PHASES)
    kinds = tuple(DelayProfile("jitter", Delays(base=BASE, jitter=JITTER, seed=seed)) for seed in seeds)
    return Drive("closed", kinds, seconds, variants=VARIANTS)


def run_all(runs: int, seconds: float, driver: Driver, tell: Callable[[str], None]) -> list[AARun]:
    """One run after another. Raises CalibrationError, ServerError."""
    done: list[AARun] = []
    for number in range(runs):
        tell(f'{number + 1} of {runs}: --variants "{VARIANTS}", {PHASES} x {seconds:g} s')
        record, _ = driver.record(make_drive(number, seconds))
        done.append(read_run(record))
    return done


def read_run(record: RunRecord) -> AARun:
    """The one comparison of a run. Raises CalibrationError if it has none."""
    if len(record.comparisons) != 1:
        raise CalibrationError(f"expected one comparison, the record has {len(record.comparisons)}")
    (compared,) = record.comparisons
    return AARun(_interval(compared.throughput_ratio), _interval(compared.p99_ratio), _why_invalid(compared))


def _interval(ratio: Ratio) -> RatioInterval | None:
    if ratio.estimate is None or ratio.low is None or ratio.high is None:
        return None
    return RatioInterval(ratio.estimate, ratio.low, ratio.high)


def _why_invalid(compared: Comparison) -> tuple[str, ...]:
    return compared.reasons or ("no reason was recorded",) if compared.verdict == "invalid" else ()


def show_runs(runs: Sequence[AARun], file: TextIO) -> None:
    """Print each run and both counts."""
    out = new_console(file, None if file.isatty() else WIDTH)
    table = Table(title=f'A/A test: {len(runs)} runs of --variants "{VARIANTS}"')
    for name in ("run", "operations/s", "contains 1", "p99", "contains 1"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for number, run in enumerate(runs, 1):
        cells = [cell for name in ("throughput", "p99") for cell in (_show(getattr(run, name)), _mark(run, name))]
        table.add_row(str(number), *cells, f"invalid: {'; '.join(run.invalid)}" if run.invalid else "")
    out.print(table)
    for count in count_all(runs):
        judged = "met" if count.met else "MISSED"
        rest = f"of {count.runs} intervals contain 1, at least {count.needed} wanted: {judged}"
        out.print(f"{count.figure:<10} {count.containing} {rest}")
    if invalid := sum(bool(run.invalid) for run in runs):
        out.print(f"invalid    {invalid} of {len(runs)} runs")
    out.print(NOTES)


def _show(interval: RatioInterval | None) -> str:
    return f"{interval.estimate:.3f} [{interval.low:.3f}, {interval.high:.3f}]" if interval else "none"


def _mark(run: AARun, figure: str) -> str:
    return "invalid" if run.invalid else "yes" if run.contains_one(figure) else "NO"


def runs_as_json(runs: Sequence[AARun]) -> str:
    """All runs, both counts and the number of invalid runs."""
    counts = [asdict(count) | {"met": count.met} for count in count_all(runs)]
    figures = ("throughput", "p99")
    shown = [asdict(run) | {"contains_one": {name: run.contains_one(name) for name in figures}} for run in runs]
    invalid = sum(bool(run.invalid) for run in runs)
    return json.dumps({"variants": VARIANTS, "runs": shown, "counts": counts, "invalid": invalid}, indent=1) + "\n"
