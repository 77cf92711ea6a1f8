"""A second locustfile: users pause between operations, as those of other tests do. It has no users.

It imports nothing of the tests: a command that a shell starts does not find them.
"""

import os
from typing import Any

from locust import constant, events


@events.init.add_listener  # type: ignore[untyped-decorator] # no types in Locust
def _pause(environment: Any, **_: Any) -> None:
    for kind in environment.user_classes:
        kind.wait_time = constant(float(os.environ["PAUSE"]))
