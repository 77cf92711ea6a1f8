"""Conditions of `--abort-when` that nothing in the run can meet."""

from collections.abc import Collection
from typing import Any

from loadgen.locust_plugin.preparation.requirement_checks import find_unreachable
from loadgen.results.requirements.abort_conditions import EVERY, SETTING, read_abort_conditions
from loadgen.settings.faults import Fault
from loadgen.settings.model import Settings
from loadgen.settings.variants import find_variants


def find_abort_faults(
    settings: Settings, everyone: Collection[type[Any]] = (), users: int | None = None
) -> list[Fault]:
    """Conditions that cannot be read, or name what does not run: operation, stage, variant or level."""
    conditions, faults = read_abort_conditions(settings.abort_when, [one.name for one in find_variants(settings)])
    unreachable = find_unreachable(settings, conditions, everyone, users, ("", EVERY))
    texts = {f'"{one.text}"': one.text.removeprefix(f"{EVERY} ") for one in conditions}
    return [*faults, *(fault._replace(setting=SETTING, value=f'"{texts[fault.value]}"') for fault in unreachable)]
