"""Run records of earlier versions, given the keys that came later."""

from collections.abc import Callable
from typing import Any

from loadgen.results.record.model import SCHEMA_VERSION

Values = dict[str, Any]


def upgrade(values: Values) -> Values:
    """The plain values of a record as the present schema has them; what an earlier version did not measure is empty.

    A record of the present version, or of one that cannot be read, is returned as it is. Of values that are no whole
    record nothing is assumed: to find what is missing is the schema's work.
    """
    found = values.get("schema_version")
    if type(found) is not int or not OLDEST <= found < SCHEMA_VERSION:
        return values
    for version in range(found, SCHEMA_VERSION):
        values = STEPS[version](values)
    return values | {"schema_version": SCHEMA_VERSION}


def _from_4(values: Values) -> Values:
    """Schema 5 knows the plan, who shared the collection, what tasks raised, and how far the generator was watched."""
    phases = values.get("phases")
    if isinstance(phases, list):
        values = values | {"phases": [_phase_from_4(one) if isinstance(one, dict) else one for one in phases]}
    if isinstance(manifest := values.get("manifest"), dict):
        values = values | {"manifest": {"shared_with": None} | manifest}
    return {"planned_phases": None, "incomplete": None, "task_errors_outside": []} | values


def _phase_from_4(phase: Values) -> Values:
    generator = phase.get("generator")
    watched = {"generator": {"watched_share": None} | generator} if isinstance(generator, dict) else {}
    return {"users_gone": 0, "task_errors": []} | phase | watched


STEPS: dict[int, Callable[[Values], Values]] = {4: _from_4}
"""What makes a record of one version one of the next."""
OLDEST = min(STEPS)
"""The oldest version that can be read."""
