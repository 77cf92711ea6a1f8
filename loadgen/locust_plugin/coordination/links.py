"""Locust's network, adapted for the coordinator and the agents."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from locust.exception import RPCError
from locust.runners import MasterRunner, WorkerRunner

from loadgen.control.agent import Agent
from loadgen.control.coordinator import Coordinator
from loadgen.control.messages import (
    COMMAND,
    FROM_AGENT,
    Command,
    FromAgent,
    MessageError,
    Refuse,
    decode,
    encode,
)
from loadgen.locust_plugin.patches import forget_worker, send_stats_now
from loadgen.locust_plugin.remembered_node import RememberedNode

CONTINUED = "loadgen: another master continues the run"
"""With Locust's message to quit."""

logger = logging.getLogger("loadgen")


class MasterLink:
    """From a master to its workers, as `control.link.Link`."""

    is_local = False

    def __init__(self, runner: Any) -> None:
        self._runner = runner

    def connected(self) -> set[str]:
        """Ids of the workers that Locust considers present."""
        clients = self._runner.clients
        return {client.id for client in clients.ready + clients.spawning + clients.running}

    def silent(self) -> set[str]:
        """Ids of the workers without a recent heartbeat."""
        return {client.id for client in self._runner.clients.missing}

    def absences(self) -> Mapping[str, int]:
        """How often Locust has marked each as missing."""
        return dict(RememberedNode.absences)

    def send(self, agent: str, command: Command) -> None:
        """Send a command. It may be lost with the connection."""
        try:
            self._runner.send_message(COMMAND, encode(command), client_id=agent)
        except RPCError as error:
            logger.debug("A %s to %s was not sent: %s", command.kind, agent, error)

    def dismiss(self, agent: str) -> None:
        """Forget a worker, as Locust does when one quits."""
        forget_worker(self._runner, agent)

    def listen(self, coordinator: Coordinator) -> None:
        """Connect this coordinator to the messages of the workers."""

        def hear(environment: Any, msg: Any, **_: Any) -> None:  # noqa: ARG001 - Locust calls with this keyword
            deliver(coordinator, msg.node_id, msg.data)

        self._runner.register_message(FROM_AGENT, hear)


def deliver(coordinator: Coordinator, agent: str, data: object) -> None:
    """Pass a worker's message to the coordinator; anything else is dropped and logged."""
    try:
        message = decode(data)
    except MessageError as error:
        logger.warning("Dropped a message of worker %s: %s", agent, error)
        return
    if isinstance(message, FromAgent):
        coordinator.receive(agent, message)


def is_of_run(coordinator: Coordinator, data: Mapping[str, Any]) -> bool:
    """Whether a worker's statistics belong to the current run, or to none that is known."""
    report = data.get("loadgen")
    run = report.get("run_id") if isinstance(report, dict) else None
    return not run or run == coordinator.run.run_id


def have_workers_replaced(runner: Any, is_continued: Callable[[], bool]) -> None:
    """When a master quits whose run another one continues, its workers end so that they are replaced.

    Locust tells them to quit before it fires `quitting`, so this comes first in its `quit`.
    """
    quit_all = runner.quit

    def quit_runner() -> None:
        if is_continued():
            runner.stop(send_stop_to_client=False)  # collects what they have counted
            runner.send_message("quit", CONTINUED)
        quit_all()

    master: Any = runner if isinstance(runner, MasterRunner) else None
    if master is not None:
        master.quit = quit_runner


class WorkerLink:
    """From a worker to its master."""

    def __init__(self, runner: Any, agent: Agent, on_refused: Callable[[str], object]) -> None:
        self._runner = runner
        self._agent = agent
        self._on_refused = on_refused
        runner.register_message(COMMAND, self._obey, concurrent=True)

    def send(self, message: FromAgent) -> None:
        """Send a message to the master. It may be lost with the connection."""
        try:
            self._runner.send_message(FROM_AGENT, encode(message))
        except RPCError as error:
            logger.debug("A %s was not sent: %s", message.kind, error)

    def _obey(self, environment: Any, msg: Any, **_: Any) -> None:  # noqa: ARG002 - Locust calls with this keyword
        try:
            command = decode(msg.data)
        except MessageError as error:
            logger.warning("Dropped a message of the master: %s", error)
            return
        if isinstance(command, Refuse):
            self._on_refused(command.reason)
        elif isinstance(command, Command) and (answer := self._agent.receive(command)) is not None:
            self.send(answer)


def send_stats(runner: Any) -> None:
    """Make a worker send Locust's own statistics now; does nothing in other processes."""
    if isinstance(runner, WorkerRunner):
        send_stats_now(runner)
