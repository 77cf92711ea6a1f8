"""`--dry-run`: what a run would do, in words; nothing is sent, started or written."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

from pydantic import SecretStr

from loadgen.locust_plugin.preparation.run_plan import clients_of, modes_of, operations_of
from loadgen.locust_plugin.preparation.variant_setup import find_source, resolve_data
from loadgen.measure.phase import Phase
from loadgen.milvus.server.kinds import NAMES, choose_kind
from loadgen.runtime.early_exit import leave
from loadgen.settings.conflicts import without_secret
from loadgen.settings.credentials import MASK
from loadgen.settings.model import Settings, as_text
from loadgen.settings.variants import find_baseline, find_variants, settings_of
from loadgen.text.listing import count_of
from loadgen.text.plain_text import one_line

PHASES_AT_MOST = 32
"""Maximum phases that are listed."""
FLOAT_BYTES = 4
MINUTE, HOUR = 60, 3_600
UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def leave_after_dry_run(settings: Settings, environment: Any, everyone: Sequence[type[Any]]) -> NoReturn:
    """Print what the run would do and end the process with 0. Raises SettingsError for data that cannot be used."""
    shape = environment.shape_class
    phases = shape.phases if shape is not None else ()
    options = environment.parsed_options
    length = f"{options.run_time:g} s" if options.run_time else "until it is ended"
    closed = f"{count_of(options.num_users or 1, 'user')}, {length}"
    reported = describe_run(settings, everyone, phases, closed)
    sys.stdout.write("\n".join(reported) + "\n")
    leave("", 0)


def describe_run(
    settings: Settings, everyone: Sequence[type[Any]], phases: Sequence[Phase], alone: str = ""
) -> list[str]:
    """The lines; `alone` describes the load of a run without phases. Reads files."""
    source = find_source(settings)
    is_known = source is None or not settings.embedding.startswith("openai:")  # whose dimension would be asked for
    resolved = resolve_data(settings) if is_known and not settings.existing else settings
    baseline = find_baseline(settings)
    variants = [f"{one.name}{' (baseline)' if one.name == baseline else ''}" for one in find_variants(settings)]
    parts: dict[str, Iterable[str]] = {
        "server": [_say_server(settings)],
        "variants": ["; ".join(variants)],
        "collections": _say_collections(resolved),
        "memory": [_say_memory(resolved)] if is_known and not settings.existing else [],
        "operations": _say_operations(settings, everyone),
        "plan": _say_plan(phases, alone),
        "settings": _say_settings(settings),
    }
    lines = ["Dry run: nothing is sent."]
    for name, some in parts.items():
        for number, line in enumerate(some):
            lines.append(f"{'' if number else name:12}{one_line(line)}")
    return lines


def _say_server(settings: Settings) -> str:
    if settings.host:
        return without_secret(settings.host)
    return f"{NAMES[choose_kind(settings.embedded)]}, started for the run"


def _say_collections(settings: Settings) -> Iterator[str]:
    made: dict[str, Settings] = {}
    for one in find_variants(settings):
        own = settings_of(settings, one)
        made.setdefault(own.collection, own)
    for name, own in made.items():
        if settings.existing:
            yield f"{name}: used as it is{', rows are inserted and deleted again' if settings.allow_writes else ''}"
            continue
        index = own.index_config
        shown = as_text({key: value for key, value in index.items() if key != "index_type"})
        what = (
            f"{count_of(own.rows, 'row')} of {own.dim} dimensions, {own.metric}, {index['index_type']} {shown}".rstrip()
        )
        when = "dropped and loaded" if own.fresh or own.overwrite else "loaded unless it is ready"
        yield f"{name}: {what}, {own.consistency} consistency; {when}"


def _say_memory(settings: Settings) -> str:
    names = {settings_of(settings, one).collection for one in find_variants(settings)}
    vectors = len(names) * settings.rows * settings.dim * FLOAT_BYTES
    queries = settings.queries * settings.dim * FLOAT_BYTES
    stored = f"{show_bytes(vectors)} of vectors in Milvus, without its index"
    return f"{stored}; {show_bytes(queries)} of queries in each process"


def show_bytes(number: int) -> str:
    """Such as `4.9 MiB`."""
    size, unit = next(((size, unit) for size, unit in UNITS if number >= size), (1, "bytes"))
    return f"{number / size:,.1f} {unit}" if size > 1 else count_of(number, "byte")


def _say_operations(settings: Settings, everyone: Sequence[type[Any]]) -> Iterator[str]:
    modes = modes_of(settings)
    for mode, operations in operations_of(everyone, clients_of(settings)).items():
        if mode in modes:
            yield f"{', '.join(sorted({one.name for one in operations})) or 'not declared'} ({mode})"


def _say_plan(phases: Sequence[Phase], alone: str) -> Iterator[str]:
    if not phases:
        yield alone
        return
    seconds = sum(phase.seconds + phase.warmup_seconds for phase in phases)
    bursts = sum(1 for phase in phases if phase.operations)
    more = f", and {count_of(bursts, 'burst')}, as long as they take" if bursts else ""
    arrivals = sum(phase.rate * phase.seconds for phase in phases)
    expected = f", {arrivals:,.0f} arrivals in the measured parts" if arrivals else ""
    yield (
        f"{count_of(len(phases), 'phase')}, {show_duration(seconds)} of load{more}{expected}; "
        "without loading and the start of users"
    )
    for phase in phases[:PHASES_AT_MOST]:
        length = "" if phase.operations else f", {phase.warmup_seconds:g} s of warm-up and {phase.seconds:g} s"
        yield f"{phase.number + 1:3}. {phase.label}{length}"
    if len(phases) > PHASES_AT_MOST:
        yield f"and {len(phases) - PHASES_AT_MOST:,} more"


def show_duration(seconds: float) -> str:
    """Such as `2 min 24 s`."""
    hours, rest = divmod(round(seconds), HOUR)
    minutes, left = divmod(rest, MINUTE)
    parts = [f"{number} {unit}" for number, unit in ((hours, "h"), (minutes, "min"), (left, "s")) if number]
    return " ".join(parts) or f"{seconds:g} s"


def _say_settings(settings: Settings) -> Iterator[str]:
    """Those that are not at their defaults, as flags."""
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if name == "dry_run" or value == field.default:
            continue
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, SecretStr):
            yield f"{flag} {MASK}"
        elif isinstance(value, bool):
            yield flag
        else:
            yield f"{flag} {without_secret(as_text(value))}"
