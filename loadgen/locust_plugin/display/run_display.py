"""What a person sees during a run: the terminal and the tab of the web page."""

import sys
from typing import Any

from loadgen.locust_plugin.display.progress import Progress
from loadgen.locust_plugin.display.terminal import Display
from loadgen.locust_plugin.run_results import RunFinalizer
from loadgen.locust_plugin.web.tab import add_tab
from loadgen.locust_plugin.web.tab_data import TabData, is_comparable
from loadgen.measure.ledger import RunCounts
from loadgen.measure.phase import Phase
from loadgen.runtime.hub import run_in_thread


class RunDisplay:
    """One per process; never opened in a worker."""

    def __init__(self, environment: Any, progress: Progress, ledger: RunCounts, ending: RunFinalizer) -> None:
        self._environment = environment
        self._ending = ending
        self._tab_data = TabData(ledger, progress)
        self._display = Display(progress.look, sys.stderr)
        progress.follow(ledger)

    def open(self) -> None:
        """Show progress from now on, and add the tab if there is a page."""
        self._display.start()
        if self._environment.web_ui is not None:
            base = self._environment.parsed_options.web_base_path or ""
            add_tab(self._environment.web_ui, base, self._tab_data, lambda: self._ending.path)

    @property
    def is_ending(self) -> bool:
        """A run has stopped; its results are still being compared and written."""
        return self._tab_data.is_ending

    def note_end(self, *, over: bool) -> None:
        """A run begins to end, or has ended."""
        self._tab_data.is_ending = not over

    def begin(self) -> None:
        """Another run."""
        self._tab_data.reset()

    def refuse(self, words: str) -> None:
        """Show why a start from the page was refused, in place of its run."""
        self._tab_data.reset()
        self._tab_data.take([], [words])

    def after_phase(self, phase: Phase | None) -> None:
        """Write the record, and compare if a page is open: now, while nothing is measured."""
        self._ending.keep()
        shape = self._environment.shape_class
        if self._environment.web_ui is None or phase is None or shape is None:
            return
        if is_comparable(phase, shape.phases):
            run_in_thread(lambda: self._tab_data.take(*self._ending.compare()))

    def conclude(self) -> None:
        """A run is over: show its final comparison; the reason of a refused start stays."""
        if words := self._ending.words:
            self._tab_data.take(self._ending.levels, words)

    def close(self) -> None:
        """Restore the terminal."""
        self._display.stop()
