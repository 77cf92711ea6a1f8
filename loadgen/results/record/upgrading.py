"""Upgrade run records of earlier schema versions."""

from collections.abc import Callable
from re import fullmatch
from typing import Annotated, Any

import numpy as np
from pydantic import Field, ValidationError

from loadgen.measure.histograms import COARSE_BITS, MICROSECONDS, find_values
from loadgen.measure.slices import SliceStats
from loadgen.results.record.model import SCHEMA_VERSION
from loadgen.results.record.part import Count, Part
from loadgen.results.record.slices import Slices, turn

Values = dict[str, Any]


def upgrade(values: Values) -> Values:
    """The plain values of a record in the current schema; what an earlier version did not measure is empty.

    A record of the current version, or of one that cannot be read, is returned unchanged. Values need not be a complete
    record: the schema reports what is missing.
    """
    result = values.get("schema_version")
    if type(result) is not int or not OLDEST <= result < SCHEMA_VERSION:
        return values
    for step in STEPS[result]:
        values = step(values)
    return values | {"schema_version": SCHEMA_VERSION}


MODES = ("sync", "async")


def _from_4(values: Values) -> Values:
    """Schema 5 replaces modes by variants.

    It also has the plan, who shared the collection, what tasks raised, and how far the generator was watched.
    """
    for name, step in (("phases", _phase_from_4), ("comparisons", _comparison_from_4), ("outside", _named_by_mode)):
        if isinstance(parts := values.get(name), list):
            values = values | {name: [step(one) if isinstance(one, dict) else one for one in parts]}
    if isinstance(manifest := values.get("manifest"), dict):
        values = values | {"manifest": _manifest_from_4(manifest)}
    return {"planned_phases": None, "incomplete": None, "task_errors_outside": []} | values


def _manifest_from_4(manifest: Values) -> Values:
    settings = manifest.get("settings")
    mode = settings.get("mode") if isinstance(settings, dict) else None
    ran = [one for one in MODES if mode in ("compare", None, one)]
    variants = [{"name": one, "mode": one, "client": "llamaindex", "settings": {}} for one in ran]
    return {"shared_with": None, "variants": variants, "baseline": ran[0] if ran else ""} | manifest


def _phase_from_4(phase: Values) -> Values:
    generator = phase.get("generator")
    watched = {"generator": {"watched_share": None} | generator} if isinstance(generator, dict) else {}
    operations = phase.get("operations")
    parts = {"operations": [*map(_operation_from_4, operations)]} if isinstance(operations, list) else {}
    return {"users_gone": 0, "task_errors": [], "variant": phase.get("mode")} | phase | watched | parts


def _operation_from_4(operation: Any) -> Any:
    slices = operation.get("slices") if isinstance(operation, dict) else None
    return operation | {"slices": [*map(_slice_from_4, slices)]} if isinstance(slices, list) else operation


def _slice_from_4(piece: Any) -> Any:
    """Schema 5 names a slice's buckets by microseconds; bucket i of schema 4 began at 1e-6 x 1.02^i seconds."""
    times = piece.get("times") if isinstance(piece, dict) else None
    if not isinstance(times, str) or not fullmatch(OLD_TIMES, times):
        return piece
    buckets, counts = np.array(times.replace(":", " ").split(), dtype=np.int64).reshape(-1, 2).T
    middles = find_values(OLD_WIDTH ** (buckets + 0.5) / MICROSECONDS, COARSE_BITS)
    return piece | {"times": " ".join(f"{middle}:{count}" for middle, count in zip(middles, counts, strict=True))}


def _comparison_from_4(comparison: Values) -> Values:
    kept = {name: value for name, value in comparison.items() if name != "async_share"}
    for name in ("throughput_ratio", "p50_ratio", "p99_ratio"):
        if isinstance(ratio := kept.get(name), dict):
            kept[name] = {RENAMED.get(key, key): value for key, value in ratio.items()}
    sides = {"baseline": MODES[0], "variant": MODES[1], "share_ahead": comparison.get("async_share")}
    verdict = kept.get("verdict")
    named = {"verdict": VERDICTS.get(verdict, verdict)} if isinstance(verdict, str) else {}
    return sides | kept | named


OLD_WIDTH = 1.02
OLD_TIMES = r"([0-9]{1,4}:[0-9]{1,15}( [0-9]{1,4}:[0-9]{1,15})*)?"
RENAMED = {"sync_value": "baseline_value", "async_value": "variant_value"}
VERDICTS = {"sync": "baseline", "async": "variant"}


def _named_by_mode(part: Values) -> Values:
    return {"variant": part.get("mode")} | {name: value for name, value in part.items() if name != "mode"}


def _from_5(values: Values) -> Values:
    """Schema 6 packs the slices of an operation; they are packed as in schema 7."""
    return _each_operation(values, _operation_from_5)


def _each_operation(values: Values, step: Callable[[Any], Any]) -> Values:
    def of_phase(phase: Any) -> Any:
        operations = phase.get("operations") if isinstance(phase, dict) else None
        return phase | {"operations": [*map(step, operations)]} if isinstance(operations, list) else phase

    phases = values.get("phases")
    return values | {"phases": [*map(of_phase, phases)]} if isinstance(phases, list) else values


def _operation_from_5(operation: Any) -> Any:
    slices = operation.get("slices") if isinstance(operation, dict) else None
    if not isinstance(slices, list):
        return operation
    try:
        pieces = [_OldSlice.model_validate(piece) for piece in slices]
        stats = [SliceStats.from_text(one.seconds, one.operations, one.times, one.good or 0) for one in pieces]
        is_judged = bool(pieces) and pieces[0].good is not None
        return operation | {"slices": Slices.of(stats, is_judged=is_judged).model_dump() if stats else None}
    except (ValidationError, OverflowError):
        return operation  # the schema reports it


class _OldSlice(Part):
    """A slice as schema 5 had it."""

    seconds: Annotated[float, Field(ge=1e-6, le=1e9)]
    operations: Count
    times: Annotated[str, Field(pattern=r"^([1-9][0-9]{0,8}:[0-9]{1,15}( [1-9][0-9]{0,8}:[0-9]{1,15})*)?$")]
    good: Count | None = None


def _from_6(values: Values) -> Values:
    """Schema 7 has the counts of slices by bucket and not by slice, and buckets by their differences.

    It also leaves out the texts that follow from others.
    """
    return _each_operation(values, _operation_from_6)


def _operation_from_6(operation: Any) -> Any:
    slices = operation.get("slices") if isinstance(operation, dict) else None
    if not isinstance(slices, dict):
        return operation
    try:
        return operation | {"slices": turn(slices)}
    except (KeyError, TypeError, ValueError):
        return operation  # the schema reports it


STEPS: dict[int, tuple[Callable[[Values], Values], ...]] = {4: (_from_4, _from_5), 5: (_from_5,), 6: (_from_6,)}
"""The steps from each version to the current one."""
OLDEST = min(STEPS)
"""The oldest version that can be read."""
