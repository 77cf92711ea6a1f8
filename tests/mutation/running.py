"""Runs the chosen tests on one mutant after the other."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.mutation.choosing import Traces
from tests.mutation.mutants import Mutant
from tests.mutation.places import ROOT
from tests.mutation.tree import compile_tree, start_inside, written

PARTS = (25, 100)
"""Sizes of the first two batches, of the fastest tests; then all others: few files import quickly."""
FACTOR, SPARE = 3.0, 20.0
"""A mutant gets this factor times the usual seconds of its tests, plus these seconds for imports."""
KILLED, SURVIVED, TIMEOUT, UNSEEN = "killed", "survived", "timeout", "unseen"
"""`unseen`: no test executes the line, so it survives as well."""
Run = Callable[[list[str], float], str]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a mutant, and how many tests were asked at most."""

    mutant: Mutant
    fate: str
    tests: int

    @property
    def survived(self) -> bool:
        """Whether no test noticed it."""
        return self.fate in (SURVIVED, UNSEEN)

    def to_json(self) -> dict[str, Any]:
        """For the list of results."""
        return {**self.mutant.to_json(), "fate": self.fate, "tests": self.tests}


def run_mutants(mutants: Iterable[Mutant], traces: Traces) -> Iterator[Result]:
    """What becomes of each, one at a time."""
    compile_tree()
    with start_inside("tests.mutation.server") as server:
        assert server.stdin is not None
        assert server.stdout is not None
        to_server, from_server = server.stdin, server.stdout

        def run(tests: list[str], seconds: float) -> str:
            to_server.write(json.dumps({"tests": tests, "seconds": seconds}) + "\n")
            to_server.flush()
            answer = from_server.readline()
            if not answer:
                raise RuntimeError("the process that runs the tests has ended; its reason is above")
            return str(json.loads(answer)["ended"])

        for mutant in mutants:
            place = mutant.place
            tests = traces.choose(place.module, (ROOT / place.module).read_text(), place.line)
            with written(place.module, mutant.source):
                yield Result(mutant, try_tests(tests, traces, run), len(tests))


def try_tests(tests: list[str], traces: Traces, run: Run) -> str:
    """The fate of the mutant that is written now."""
    first, second = PARTS
    for part in (tests[:first], tests[first : first + second], tests[first + second :]):
        if not part:
            continue
        ended = run(part, SPARE + FACTOR * sum(traces.seconds[test] for test in part))
        if ended == "nothing":
            raise RuntimeError(f"these tests are no longer there: {part[:3]}")
        if ended != "passed":
            return TIMEOUT if ended == "timeout" else KILLED
    return SURVIVED if tests else UNSEEN
