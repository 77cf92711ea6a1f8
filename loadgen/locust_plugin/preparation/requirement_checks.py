"""Check requirements against the plan before the run: one that cannot be met is a fault."""

import difflib
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from loadgen.clients import find_layer
from loadgen.clients.vector_client import OPERATIONS
from loadgen.locust_plugin.preparation.rate_plan import plan_rates
from loadgen.locust_plugin.preparation.run_plan import STYLES, clients_of, modes_of, staged_of, with_stages
from loadgen.measure.operation import NAME, Operation
from loadgen.measure.phase import burst_phases
from loadgen.measure.sample import Mode
from loadgen.measure.store_stages import ALL_STAGES, QUEUE
from loadgen.results.requirements import FIGURES, ITEMS, RATE, RECOVERY, Requirement
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings
from loadgen.settings.variants import Variant, find_baseline, find_variants
from loadgen.text.listing import count_of, join_some
from loadgen.users import LoadUser

CLOSE = 0.75
"""Similarity above which a name counts as mistyped."""


def find_unreachable(
    settings: Settings,
    wanted: Sequence[Requirement],
    everyone: Collection[type[Any]] = (),
    users: int | None = None,
    unnamed: Collection[str] = ("",),
) -> list[Fault]:
    """Requirements of an operation, a stage, a variant or a level that will not run.

    `everyone` are the user classes, if known; `users` the number of users of a run of one mode, if known; `unnamed` is
    what a requirement without an operation has in its place.
    """
    variants = find_variants(settings)
    modes = modes_of(settings)
    kinds = [kind for kind in everyone if issubclass(kind, LoadUser) and kind.mode in modes]
    bursts = bool(kinds) and all(getattr(kind, "style", "") for kind in kinds)
    faults: list[Fault] = []
    for one in wanted:
        problems = [
            *(_find_operation(one, kinds, settings, bursts=bursts) if one.operation not in unnamed else ()),
            *_find_faultless(one, settings),
            *(_find_unsought(one, kinds, settings) if one.figure == RATE else ()),
            *_find_variant(one, settings, variants, bursts=bursts),
            *_find_part(one, kinds, settings),
            *(_find_level(one, settings, kinds, users, bursts=bursts) if one.figure != RATE else ()),
        ]
        faults += [Fault("require", f'"{one.text}"', problem, hint) for problem, hint in problems]
    return faults


Problem = tuple[str, str]
"""The problem and the remedy."""


def _find_operation(
    one: Requirement, kinds: Collection[type[Any]], settings: Settings, *, bursts: bool
) -> Iterator[Problem]:
    variants = find_variants(settings)
    offered = [operation for one in variants for operation in find_layer(one.client).operations]
    client = {operation.name for operation in offered}
    performed = {kind: _names(kind, clients_of(settings)) for kind in kinds}
    known = sorted(set().union(*performed.values()) or client)
    if one.operation not in {*known, *client}:
        close = difflib.get_close_matches(one.operation.lower(), known, n=1, cutoff=CLOSE)
        close = close or difflib.get_close_matches(one.operation.lower(), sorted(client), n=1, cutoff=CLOSE)
        if not kinds and not close and NAME.fullmatch(one.operation):
            return  # a locustfile may declare it
        corrected = one.text.replace(one.operation, close[0], 1) if close else ""
        hint = f'Did you mean "{corrected}"?' if close else f"Use one of {', '.join(known)}, or declare it."
        yield f"is of {one.operation}, an operation of no client, which no user declares", hint
        return
    checked = list(dict.fromkeys(operation.name for operation in offered if operation.is_checked))
    if one.figure == "recall" and one.operation not in checked:
        problem = f"is of the recall of {one.operation}, but only {join_some(checked)} has one"
        yield problem, f"Use {join_some(checked)}, or another figure."
    ranked = list(dict.fromkeys(operation.name for operation in offered if operation.is_ranked))
    if one.figure == "mrr" and one.operation not in ranked:
        owner = f"only {join_some(ranked)} has one" if ranked else "only questions to documents have one"
        hint = f"Use {join_some(ranked)}, or another figure." if ranked else "Run rag_query.py, or require recall."
        yield f"is of the mean reciprocal rank of {one.operation}, but {owner}", hint
    yield from _find_unchecked(one, offered, performed.values())
    burst = list(dict.fromkeys(operation.name for operation in offered if operation.takes))
    if bursts and one.operation not in burst:
        yield f"is of {one.operation}, but the bursts run {join_some(burst)}", "Use one of these."
    if bursts:
        return
    for mode in sorted({Mode(each.mode) for each in variants if one.variant in (None, each.name)}):
        own = [kind for kind in kinds if kind.mode is mode]
        if own and not any(one.operation in performed[kind] for kind in own):
            named = sorted(set().union(*(performed[kind] for kind in own)))
            names = join_some([kind.__name__ for kind in own])
            yield f"is of {one.operation}, which no {mode} user declares", f"{names}: {join_some(named) or 'nothing'}."
            return


def _find_faultless(one: Requirement, settings: Settings) -> Iterator[Problem]:
    if one.figure == RECOVERY and not settings.fault:
        yield "is of the recovery from a fault, without a --fault", 'Add for example --fault "20s pause server 5s".'


def _find_unsought(one: Requirement, kinds: Collection[type[Any]], settings: Settings) -> Iterator[Problem]:
    """A rate that no search finds, or that is not what the search finds."""
    if not settings.find_rate:
        yield "is of the highest rate, without a --find-rate", 'Add for example --find-rate "search p99 < 50 ms".'
    if one.comparator.startswith("<"):
        yield "is an upper limit of the highest rate", "Use > or >=."
    if one.concurrency is not None or one.rate is not None:
        yield "names a load, but the highest rate is one for all", "Omit it."
    clients = clients_of(settings)
    names = {name for kind in kinds for name in _names(kind, clients)}
    if one.operation and len(names) > 1:
        yield f"is of {one.operation}, but a rate is of all operations", f"Omit {one.operation}."


def _find_unchecked(
    one: Requirement, offered: Sequence[Operation], performed: Collection[Collection[str]]
) -> Iterator[Problem]:
    """Recall or reciprocal rank of an operation in whose place its users have another one checked."""
    other = next((operation.checked_as for operation in offered if operation.name == one.operation), "")
    own = [names for names in performed if one.operation in names]
    if one.figure in ("recall", "mrr") and other and own and all(other in names for names in own):
        problem = f"is of the {one.figure} of {one.operation}, but where users also {other}, only that is checked"
        yield problem, f'Write "{one.text.replace(one.operation, other, 1)}".'


def _names(kind: type[Any], clients: Sequence[str]) -> set[str]:
    """The operations that a class declares; an invalid declaration is reported separately."""
    return {operation.name for operation in _declared(kind, clients)}


def _declared(kind: type[Any], clients: Sequence[str]) -> tuple[Operation, ...]:
    try:
        return tuple(operation for client in clients for operation in kind.performs(client))
    except ValueError:
        return ()


def _find_part(one: Requirement, kinds: Collection[type[Any]], settings: Settings) -> Iterator[Problem]:
    """A stage or items of an operation that no user declares; a stage may also be a mistyped variant."""
    if not one.part or one.part == "service" or not kinds:
        return
    clients = clients_of(settings)
    performed = (operation for kind in kinds for operation in _declared(kind, clients))
    declared = list(with_stages(performed, staged_of(settings)))
    own = [operation for operation in declared if operation.name == one.operation]
    if one.figure == ITEMS:
        items = sorted({item for operation in own for item in operation.items})
        if own and one.part not in items:
            counts = f"It counts {join_some(items)}." if items else "It counts nothing by name."
            hint = f"{counts} The other figures are {', '.join(FIGURES)}."
            yield f"is of {one.part}, which is neither a figure nor what {one.operation} counts", hint
        return
    stages = sorted({stage for operation in own for stage in operation.all_stages})
    if own and one.part not in stages:
        known = f"It declares {join_some(stages)}." if stages else "It declares none."
        hint = f"{known} Use service for the time from the actual start, or declare the stage."
        if one.part in ALL_STAGES and one.operation in {each.name for each in OPERATIONS}:
            hint = "Only a run with --arrival has it." if one.part == QUEUE and stages else "Add --stages."
        yield f"is of {one.part}, which is neither a variant of this run nor a stage of {one.operation}", hint


def _find_variant(
    one: Requirement, settings: Settings, variants: Sequence[Variant], *, bursts: bool
) -> Iterator[Problem]:
    if one.figure != "ratio":
        return
    baseline = find_baseline(settings)
    if settings.sweep:
        problem = "is of one variant to another, but --sweep compares those of the same value"
        yield problem, "Require recall and throughput."
    elif len(variants) < 2:  # noqa: PLR2004 - a ratio is of two
        yield f"is of one variant to another, but only {variants[0].name} runs", "Run --mode compare, or --variants."
    elif one.variant == baseline:
        yield f"is of {baseline}, which is the baseline", "Name another variant, or --baseline."
    elif bursts:
        yield "is of phases at a level, but bursts have none", 'Require times, such as "search async p99 < 50 ms".'
    elif settings.arrival != "closed":
        problem = f"is of operations/s, which --arrival {settings.arrival} makes the same for all variants"
        yield problem, 'Require times, such as "search async p99 < 50 ms".'


def _find_level(
    one: Requirement, settings: Settings, kinds: Collection[type[Any]], users: int | None, *, bursts: bool
) -> Iterator[Problem]:
    is_open = settings.arrival != "closed"
    rates = _find_rates(settings) if is_open else ()
    if one.rate is not None and not is_open:
        hint = f"Use at {settings.concurrency[0]}, or --arrival poisson with --rate."
        yield f"is at {one.rate:g}/s, but users in the closed model have no rate", hint
    elif one.concurrency is not None and is_open:
        shown = join_some([f"{rate:g}/s" for rate in rates])
        hint = f"Use at {shown.replace(' and ', ' or ')}."
        yield (
            f"is at {count_of(one.concurrency, 'user')}, but --arrival {settings.arrival} has arrivals per second",
            hint,
        )
    elif one.rate is not None and rates and one.rate not in rates:
        yield _no_level(one.rate, rates, "--rate-profile" if settings.rate_profile else "--rate", "/s")
    elif one.concurrency is not None and not is_open:
        levels, source = _levels(settings, kinds, users, bursts=bursts)
        if levels and one.concurrency not in levels:
            yield _no_level(one.concurrency, levels, source)


def _find_rates(settings: Settings) -> tuple[float, ...]:
    """The rates of an open run; empty if its profile cannot be used, which is reported separately."""
    try:
        rates = plan_rates(settings).rates
    except SettingsError:
        return ()
    return tuple(rate * number for number in settings.scale_workers or (1,) for rate in rates)


def _levels(
    settings: Settings, kinds: Collection[type[Any]], users: int | None, *, bursts: bool
) -> tuple[list[int], str]:
    """The concurrencies that will run, and their source; empty if unknown."""
    if bursts:
        styles = tuple(style for style in STYLES if any(kind.style == style for kind in kinds))
        operations = [one.name for one in find_layer(settings.client).burst_operations]
        return sorted({phase.concurrency for phase in burst_phases(operations, styles, settings.burst)}), "--burst"
    if settings.mode == "compare":
        source = "--concurrency times --scale-workers" if settings.scale_workers else "--concurrency"
        return [users * number for number in settings.scale_workers or (1,) for users in settings.concurrency], source
    return ([users] if users else []), "-u"


def _no_level(given: float, levels: Sequence[float], source: str, unit: str = "") -> Problem:
    nearest = min(levels, key=lambda level: abs(level - given))
    shown = join_some([f"{level:g}{unit}" for level in levels])
    return f"is at {given:g}{unit}, but {source} is {shown}", f"Use at {nearest:g}{unit}, or change {source}."
