"""`python -m tests.benchmarks.reports`: CPU seconds that reports and verdicts of long runs take, by number of phases.

The records are those of runs with slices, stages and failures, so that intervals have to be resampled, and have been
written and read once. No time of another machine compares with them; what counts is that they do not grow with the
square of the phases.
"""

import argparse
import tempfile
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from time import process_time

from loadgen.measure.sample import Outcome
from loadgen.reports.html import to_html
from loadgen.reports.markdown import to_markdown
from loadgen.reports.summary import summarize
from loadgen.results.record import RunRecord, read_record, write_record
from tests.unit.record_support import comparison, phase, record, timed

LEVELS = (1, 8, 32, 128)
ROUND = ("sync", "async", "async", "sync")
BEGAN = datetime(2026, 11, 28, tzinfo=UTC)


def long_run(number: int) -> RunRecord:
    """A number of phases of 10 s, level by level."""
    parts = {
        (users, mode): timed(
            [40 * users**0.5] * 10, 0.02 if mode == "sync" else 0.015, outcomes={Outcome.OK: 400, Outcome.TIMEOUT: 2}
        )
        for users in LEVELS
        for mode in ROUND
    }
    each = number // len(LEVELS)
    phases = [
        phase(mode, users, parts[users, mode], started_at=BEGAN + timedelta(seconds=12 * (place * each + turn)))
        for place, users in enumerate(LEVELS)
        for turn in range(each)
        for mode in (ROUND[turn % len(ROUND)],)
    ]
    return record(*phases, comparisons=tuple(comparison(users) for users in LEVELS))


def main() -> None:
    """Print a line for each number of phases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phases", type=int, nargs="+", default=[500, 2_000, 8_000])
    given = parser.parse_args()
    to_html([summarize(long_run(8))])  # the first one imports and caches fonts
    print(f"{'phases':>8} {'record MB':>10} {'read s':>8} {'HTML s':>8} {'Markdown s':>10} {'HTML MB':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for number in given.phases:
            path = write_record(Path(folder), long_run(number))
            moments = [process_time()]
            result = read_record(path)
            moments.append(process_time())
            page = to_html([summarize(result)])
            moments.append(process_time())
            to_markdown([summarize(result)])
            moments.append(process_time())
            read, drawn, reported = (after - before for before, after in pairwise(moments))
            print(
                f"{number:>8,} {path.stat().st_size / 1e6:>10.1f} {read:>8.2f} {drawn:>8.2f} {reported:>10.2f} "
                f"{len(page) / 1e6:>8.2f}"
            )


if __name__ == "__main__":
    main()
