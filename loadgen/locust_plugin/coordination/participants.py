"""Users only for the workers that take part in a phase: Locust would spread them over all that are there."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any

from locust.dispatch import UsersDispatcher


def dispatch_to(environment: Any, find_participants: Callable[[], AbstractSet[str] | None]) -> None:
    """Make every dispatcher from now on ask which workers take part; None: all of them."""

    class ToParticipants(UsersDispatcher):
        """A worker that joins is left out too, where the number of workers is part of the plan."""

        def __init__(self, worker_nodes: list[Any], user_classes: list[Any]) -> None:
            chosen = find_participants()
            nodes = [node for node in worker_nodes if chosen is None or node.id in chosen]
            super().__init__(nodes or worker_nodes, user_classes)

        def add_worker(self, worker_node: Any) -> None:
            if _takes_part(worker_node):
                super().add_worker(worker_node)

        def remove_worker(self, worker_node: Any) -> None:
            if _takes_part(worker_node):
                super().remove_worker(worker_node)

    def _takes_part(node: Any) -> bool:
        chosen = find_participants()
        return chosen is None or node.id in chosen

    environment.dispatcher_class = ToParticipants
