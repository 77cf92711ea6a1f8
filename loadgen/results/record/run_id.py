"""The id of a run."""

from datetime import UTC, datetime
from random import Random

NOT_LOOK_ALIKES = "23456789abcdefghjkmnpqrstuvwxyz"


def new_run_id(now: datetime, random: Random) -> str:
    """An id that sorts by time (UTC) and is easy to read out: 20261122-193000-k3f9."""
    return f"{now.astimezone(UTC):%Y%m%d-%H%M%S}-{''.join(random.choices(NOT_LOOK_ALIKES, k=4))}"
