"""A worker, apart from its users: it registers with its master, reports to it, and ends on command."""

import contextlib
import logging
from collections.abc import Callable
from typing import Any

from loadgen.control.agent import Agent
from loadgen.control.exit_codes import SHORT_OF
from loadgen.control.messages import Failure, encode
from loadgen.locust_plugin.coordination.identity import introduce
from loadgen.locust_plugin.coordination.links import CONTINUED, WorkerLink
from loadgen.locust_plugin.patches import note_quit, send_stats_now
from loadgen.locust_plugin.preparation.variant_setup import describe_data
from loadgen.runtime.early_exit import leave
from loadgen.runtime.start_errors import CANNOT_START

logger = logging.getLogger("loadgen")


class WorkerSide:
    """One in each worker."""

    def __init__(self, environment: Any, runner: Any, agent: Agent) -> None:
        self._environment = environment
        self._runner = runner
        self._agent = agent
        agent.describe_data = describe_data
        self._is_told_to_quit = self._is_replaced = False
        note_quit(runner, self._note_quit)
        self._hello = introduce(environment.parsed_locustfiles or (), is_worker=True)
        self._link = WorkerLink(runner, agent, _leave_refused)
        environment.events.report_to_master.add_listener(self._on_report)

    def greet(self) -> None:
        """Report what this worker runs: it is ready for commands."""
        self._link.send(self._hello)

    def fail(self, reason: str) -> None:
        """Tell the master that the run cannot continue here."""
        self._link.send(Failure(reason, self._agent.run_id))

    def _on_report(self, data: dict[str, Any], **_: Any) -> None:
        """Repeat the greeting: the first may have been sent before the master listened."""
        data["loadgen"] = encode(self._agent.report() if self._agent.run_id else self._hello)

    def _note_quit(self, data: object) -> None:
        """The master ends. If another one continues its run, this worker must not count as one that is done."""
        if data == CONTINUED:
            self._is_replaced = True
            logger.info("Another master continues the run: this worker ends, to be replaced")
        self._is_told_to_quit = not self._is_replaced

    def quit(self, flush: Callable[[], object]) -> None:
        """End. A worker that quits on its master's request succeeds, whatever the outcomes of its operations."""
        self._runner.stop()
        flush()
        self._environment.process_exit_code = 0 if self._is_told_to_quit else SHORT_OF
        with contextlib.suppress(Exception):  # the master may be gone
            send_stats_now(self._runner)


def _leave_refused(reason: str) -> None:
    leave(f"This worker does not belong to its master: {reason}.", CANNOT_START)
