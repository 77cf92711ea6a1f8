"""What changed between two runs, and whether they are comparable at all."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import JsonValue

from loadgen.results.figures import LoadLevel
from loadgen.results.record import Manifest, RunRecord, VariantRecord
from loadgen.results.series import find_series
from loadgen.settings.model import Settings

WORK = (
    "rows", "dim", "metric", "seed", "clusters", "spread", "queries", "top_k", "nodes_per_insert", "batch_size",
    "output_fields", "upsert", "documents_per_ingest", "queries_per_search", "search_kind", "filter", "text_bytes",
)  # fmt: skip
"""Settings that define the work of an operation; if they differ, operations are not comparable."""
ARRIVALS = ("max_in_flight", "max_wait")
"""The same, for arrivals at a rate."""
PLAN = (
    "record", "report", "require", "variants", "baseline", "max_failures", "max_empty", "fresh", "overwrite",
    "collection", "rounds", "concurrency", "rate", "rate_profile", "arrival", "metrics_port", "metrics_bind",
    "metrics_targets", "abort_when", "metrics_linger", "print_record", "cache",
    "record_url", "resume",
)  # fmt: skip
"""Settings that do not change what one operation costs."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was not the same."""

    kind: str
    """`setting`, `variant`, `package`, `server` or `machine`."""
    name: str
    """Of a variant, its name and the setting: `async top_k`."""
    old: str
    new: str

    def __str__(self) -> str:
        """Such as `setting index_type: HNSW -> FLAT`."""
        return f"{self.kind} {self.name}: {self.old} -> {self.new}"


def find_changes(old: RunRecord, new: RunRecord) -> list[Change]:
    """All differences in settings, packages, server and machine, except settings for where results are written."""
    before, after = old.manifest, new.manifest
    settings = [name for name in _names(before.settings, after.settings) if name not in PLAN]
    result = [_change("setting", name, before.settings.get(name), after.settings.get(name)) for name in settings]
    result += _find_variant_changes(before, after)
    names = _names(before.packages, after.packages)
    result += [_change("package", name, before.packages.get(name), after.packages.get(name)) for name in names]
    for kind, name in (("server", "server_type"), ("server", "server_version"), ("machine", "cpu_model"),
                       ("machine", "cpu_count"), ("machine", "memory_bytes"), ("machine", "python"),
                       ("machine", "workers")):  # fmt: skip
        result.append(_change(kind, name.removeprefix("server_"), getattr(before, name), getattr(after, name)))
    return [one for one in result if one.old != one.new and not _is_noise(one)]


def _find_variant_changes(before: Manifest, after: Manifest) -> Iterator[Change]:
    """Settings that differ in variants of the same name."""
    variants = [{one.name: one for one in manifest.variants} for manifest in (before, after)]
    for name in (name for name in variants[0] if name in variants[1]):
        old, new = (some[name] for some in variants)
        for setting in _names(old.settings, new.settings):
            yield _change("variant", f"{name} {setting}", _value(before, old, setting), _value(after, new, setting))
        for part in ("mode", "client"):
            yield _change("variant", f"{name} {part}", getattr(old, part), getattr(new, part))


def _value(manifest: Manifest, variant: VariantRecord, setting: str) -> JsonValue:
    return variant.settings.get(setting, manifest.settings.get(setting))


def _names(old: Collection[str], new: Collection[str]) -> list[str]:
    return list(dict.fromkeys([*old, *new]))


def _change(kind: str, name: str, old: JsonValue, new: JsonValue) -> Change:
    return Change(kind, name, _shown(old), _shown(new))


def _shown(value: JsonValue) -> str:
    if isinstance(value, dict):
        return ",".join(f"{key}={part}" for key, part in value.items()) or "default"
    if isinstance(value, list):
        return ",".join(map(str, value)) or "default"
    return "none" if value in (None, "") else str(value)


def _is_noise(change: Change) -> bool:
    """An embedded server gets a new port each time."""
    return change.name == "host" and all(_is_local(text) for text in (change.old, change.new))


def _is_local(address: str) -> bool:
    try:
        return urlsplit(address).hostname in LOOPBACK
    except ValueError:
        return False


def find_refusals(old: RunRecord, new: RunRecord, allowed: Collection[str]) -> Iterator[str]:
    """Why the two cannot be compared, each with a hint; `allowed` are settings that differ on purpose."""
    is_open = any(phase.model != "closed" for record in (old, new) for phase in record.phases)
    work = (*WORK, *ARRIVALS) if is_open else WORK
    for change in find_changes(old, new):
        setting = change.name.rpartition(" ")[2]
        is_work = setting in work if change.kind == "setting" else setting in (*work, "mode", "client")
        is_real = change.kind == "variant" or (change.kind == "setting" and not _is_new(setting, old, new))
        if is_real and is_work and setting not in allowed:
            yield (
                f"{change.name} is {change.old} in OLD and {change.new} in NEW, so operations do different work. "
                f"Measure both with the same value, or name it as the change under test: --changed {setting}"
            )
    for name, record in (("OLD", old), ("NEW", new)):
        if not any(series.sliced() for series in find_series(record)):
            yield (
                f"{name} has no planned phases (bursts and unlimited runs of one mode have no slices to compute "
                "intervals from). Measure with --mode compare"
            )
    models = [{phase.model for phase in record.phases if not phase.style} for record in (old, new)]
    if all(models) and models[0] != models[1]:
        yield f"OLD used the {_list(models[0])} model, NEW {_list(models[1])}. Measure both with the same model"
        return
    operations = [{series.operation for series in find_series(record)} for record in (old, new)]
    if all(operations) and operations[0] != operations[1]:
        ran = f"OLD ran {_list(operations[0])}, NEW {_list(operations[1])}"
        yield f"{ran}: a different mix of operations is a different load. Measure both with the same locustfile"
    yield from _no_common_load(old, new)


def _is_new(setting: str, *records: RunRecord) -> bool:
    """Whether a record is of a version without this setting, and the other has its default: the work is the same."""
    values = [one.manifest.settings[setting] for one in records if setting in one.manifest.settings]
    field = Settings.model_fields.get(setting)
    if field is None or len(values) == len(records):
        return False
    usual = list(field.default) if isinstance(field.default, tuple) else field.default
    return values == [usual]


def _no_common_load(old: RunRecord, new: RunRecord) -> Iterator[str]:
    loads: list[set[tuple[LoadLevel, str]]] = [
        {(series.level, series.variant) for series in find_series(record)} for record in (old, new)
    ]
    if all(loads) and not loads[0] & loads[1]:
        shown = [_list({f"{name} at {level}" for level, name in load}) for load in loads]
        yield f"no variant and load level in common: OLD {shown[0]}; NEW {shown[1]}. Measure at the same loads"


def _list(names: Collection[str]) -> str:
    return ", ".join(sorted(names))
