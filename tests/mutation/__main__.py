"""`python -m tests.mutation`: change the program in many small ways, and see whether a unit test fails each time.

All that it makes is in build/mutation. A second call traces no tests again whose files and code are the same.
"""

import argparse
import json
import sys
import time

from tests.mutation.environment import provide_environment
from tests.mutation.mutants import Mutant, draw_sample, find_places, make_mutant
from tests.mutation.places import FOLDERS, RESULTS, ROOT
from tests.mutation.recording import record_traces
from tests.mutation.running import KILLED, SURVIVED, TIMEOUT, UNSEEN, Result, run_mutants
from tests.mutation.tree import copy_tree

FATES = (KILLED, TIMEOUT, SURVIVED, UNSEEN)


def main() -> int:
    """Exit code 1 where more survive than allowed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sample", type=int, default=300, help="number of mutants (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the sample (default: %(default)s)")
    parser.add_argument("--at-most", type=float, default=10, help="percentage that may survive (default: %(default)s)")
    parser.add_argument("--survivors", action="store_true", help="only those that survived the last run")
    given = parser.parse_args()
    packages = provide_environment()
    sys.path.append(str(packages))  # behind the project's own, so that none of those is replaced
    copy_tree()
    mutants = find_survivors() if given.survivors else draw_sample(find_places(ROOT), given.sample, given.seed, ROOT)
    traces = record_traces(packages)
    results = []
    for result in run_mutants(mutants, traces):
        results.append(result)
        show_progress(result, len(results), len(mutants))
    RESULTS.write_text(json.dumps([result.to_json() for result in results], indent=1))
    return report(results, given.at_most)


def find_survivors() -> list[Mutant]:
    """Of the last run, where the code of their lines is still the same."""
    reported = json.loads(RESULTS.read_text())
    keys = {one["key"] for one in reported if one["fate"] in (SURVIVED, UNSEEN)}
    mutants = (make_mutant(place, ROOT) for place in find_places(ROOT) if place.key in keys)
    return [mutant for mutant in mutants if mutant is not None]


def show_progress(result: Result, number: int, total: int) -> None:
    """A line for each mutant as it ends."""
    place = result.mutant.place
    now = time.strftime("%H:%M:%S")
    print(f"{now} {number}/{total} {result.fate:8} {place.module}:{place.line} {place.operator}", flush=True)
    if result.survived:
        print(result.mutant.diff, flush=True)


def report(results: list[Result], at_most: float) -> int:
    """Print what became of them, by folder, and each survivor; 1 where there are too many."""
    print("\nfolder    " + "".join(f"{fate:>10}" for fate in FATES) + "     total")
    for folder in (*FOLDERS, "all"):
        fates = [result.fate for result in results if folder in ("all", result.mutant.place.folder)]
        print(f"{folder:10}" + "".join(f"{fates.count(fate):10}" for fate in FATES) + f"{len(fates):10}")
    alive = [result for result in results if result.survived]
    for result in alive:
        place = result.mutant.place
        print(f"\n{place.module}:{place.line} {place.operator}, {result.fate}, {result.tests} tests")
        print(result.mutant.diff)
    share = 100 * len(alive) / max(1, len(results))
    print(f"\n{len(alive)} of {len(results)} survived: {share:.1f} %; at most {at_most:g} % may.")
    return int(share > at_most)


if __name__ == "__main__":
    sys.exit(main())
