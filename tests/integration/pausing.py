"""A second locustfile: users pause between operations, as those of other tests do. It has no users."""

from typing import Any

from locust import constant, events

from tests.integration.locust_command import PAUSE


@events.init.add_listener  # type: ignore[untyped-decorator] # no types in Locust
def _pause(environment: Any, **_: Any) -> None:
    for kind in environment.user_classes:
        kind.wait_time = constant(float(PAUSE))
