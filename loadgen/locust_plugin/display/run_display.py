"""What a person sees while a run goes on: the terminal and the tab of the web page."""

import sys
from typing import Any

from loadgen.locust_plugin.display.progress import Progress
from loadgen.locust_plugin.display.terminal import Display
from loadgen.locust_plugin.run_results import RunFinalizer
from loadgen.locust_plugin.web.tab import add_tab
from loadgen.locust_plugin.web.tab_data import TabData, is_comparable
from loadgen.measure.ledger import Counted
from loadgen.measure.phase import Phase
from loadgen.runtime.hub import run_in_thread


class RunDisplay:
    """One for each process that leads; in a worker it is never opened."""

    def __init__(self, environment: Any, progress: Progress, ledger: Counted, ending: RunFinalizer) -> None:
        self._environment = environment
        self._ending = ending
        self._tab_data = TabData(ledger, progress)
        self._display = Display(progress.look, sys.stderr)
        progress.follow(ledger)

    def open(self) -> None:
        """Show progress from now on, and add the tab where there is a page."""
        self._display.start()
        if self._environment.web_ui is not None:
            base = self._environment.parsed_options.web_base_path or ""
            add_tab(self._environment.web_ui, base, self._tab_data, lambda: self._ending.path)

    @property
    def is_ending(self) -> bool:
        """A run has stopped, and is still compared and written."""
        return self._tab_data.is_ending

    def note_end(self, *, over: bool) -> None:
        """A run begins to end, or all of it is over."""
        self._tab_data.is_ending = not over

    def begin(self) -> None:
        """Another run."""
        self._tab_data.reset()

    def refuse(self, words: str) -> None:
        """A start from the page was refused: say why, where its run would be shown."""
        self._tab_data.reset()
        self._tab_data.take([], [words])

    def after_phase(self, phase: Phase | None) -> None:
        """Write the record, and compare if a page shows it: now, while nothing is measured."""
        self._ending.keep()
        shape = self._environment.shape_class
        if self._environment.web_ui is None or phase is None or shape is None:
            return
        if is_comparable(phase, shape.phases):
            run_in_thread(lambda: self._tab_data.take(*self._ending.compare()))

    def conclude(self) -> None:
        """A run is over: show what its end has compared; after a start that was refused, why stays."""
        if words := self._ending.words:
            self._tab_data.take(self._ending.levels, words)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._display.stop()
