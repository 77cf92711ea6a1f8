"""`python -m tests.mutation.tracing PACKAGES TARGET FILE...`: which test of these files executes which lines.

Appends one JSON object per test to TARGET and runs in the private copy. Coverage is imported from PACKAGES, behind the
project's own packages.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mutation.places import FOLDERS

HERE = Path.cwd()


class Recorder:
    """A pytest plugin that names the running test to coverage, and writes what it executed as it ends.

    The lines of threads belong to the test during which they run.
    """

    def __init__(self, coverage: Any, target: Path) -> None:
        self.coverage, self.target = coverage, target
        self.passed: dict[str, bool] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Have all that runs until the next test counted for this one."""
        self.coverage.switch_context(item.nodeid)
        started = time.perf_counter()
        try:
            return (yield)
        finally:
            seconds = time.perf_counter() - started
            self.coverage.switch_context("")
            self.write(item.nodeid, seconds, passed=self.passed.get(item.nodeid, False))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tests that fail or are skipped without a mutation prove nothing about one."""
        self.passed[report.nodeid] = report.passed and self.passed.get(report.nodeid, True)

    def write(self, test: str, seconds: float, *, passed: bool) -> None:
        """Add what ran in this context."""
        data = self.coverage.get_data()
        data.set_query_context(test)
        modules = {file: sorted(data.lines(file) or ()) for file in data.measured_files()}
        lines = {Path(file).relative_to(HERE).as_posix(): result for file, result in modules.items() if result}
        with self.target.open("a") as out:
            out.write(json.dumps({"test": test, "seconds": seconds, "passed": passed, "lines": lines}) + "\n")


def trace(target: Path, files: list[str]) -> None:
    """Run them all, the failed ones too."""
    from coverage import Coverage

    sources = [str(HERE / "loadgen" / name) for name in FOLDERS]
    # The data is only in memory, so that processes forked by a test write none of their own. Coverage knows greenlets,
    # but then it never gets out of a test that ends the greenlets of another thread; each test is one context anyway.
    coverage = Coverage(data_file=None, source=sources, concurrency=["thread"], config_file=False)
    coverage.start()
    recorder = Recorder(coverage, target)
    pytest.main([*files, "-q", "-p", "no:xdist", "--no-header", "--tb=short"], plugins=[recorder])
    coverage.stop()


if __name__ == "__main__":
    packages, path, *given = sys.argv[1:]
    sys.path.append(packages)
    trace(Path(path), given)
