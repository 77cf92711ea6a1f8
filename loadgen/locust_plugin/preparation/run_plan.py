"""Which users take part in a run, in which phases, and what they do."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from loadgen.clients import find_layer
from loadgen.clients.staging import declare_stages
from loadgen.clients.vector_client import OPERATIONS as OF_STORE
from loadgen.control.rate_finder import RateFinder
from loadgen.locust_plugin.preparation.rate_plan import find_unknown_operations, plan_rates
from loadgen.measure.operation import NAMES_AT_MOST, Operation
from loadgen.measure.phase import Compared, Phase, burst_phases, open_phases, scaled_phases, timed_phases
from loadgen.measure.sample import Mode
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings
from loadgen.settings.rate_search import is_search
from loadgen.settings.variants import CLIENTS, DEFAULT_CLIENT, find_variants, settings_of
from loadgen.text.listing import join_some
from loadgen.users import LoadUser

STYLES = ("sync", "threads", "async")


def plan_users(everyone: Sequence[type[Any]], settings: Settings) -> tuple[list[type[Any]], tuple[Phase, ...]]:
    """The user classes of the requested modes, and the plan; no phases with Locust's own -u, -r and -t.

    Raises SettingsError if a class cannot run in this process or a mode has no users.
    """
    faults = [_foreign(kind) for kind in everyone if not issubclass(kind, LoadUser)]
    faults += _find_strange(everyone, settings.client)
    faults += _find_undeclarable([kind for kind in everyone if issubclass(kind, LoadUser)], settings.client)
    if faults:
        raise SettingsError(faults)
    variants = find_variants(settings)
    if faults := [*_find_single(settings), *_find_other_kinds(settings), *_find_mixed_data(settings)]:
        raise SettingsError(faults)
    compared = [(one.name, Mode(one.mode)) for one in variants]
    modes = tuple(mode for mode in Mode if any(mode is one for _, one in compared))
    chosen = [kind for kind in everyone if kind.mode in modes]
    absent = [mode for mode in modes if not any(kind.mode is mode for kind in chosen)]
    bursts = [kind for kind in chosen if kind.style]
    if faults := [_absent(settings, mode) for mode in absent] or [*_find_ignored(settings, chosen)]:
        raise SettingsError(faults)
    if settings.arrival != "closed":
        if faults := [fault for kind in chosen if (fault := _not_open(kind, settings.arrival))]:
            raise SettingsError(faults)
        if is_search(settings):
            return chosen, RateFinder(settings).first_phases()
        return chosen, _plan_arrivals(chosen, compared, settings)
    steady = [kind for kind in chosen if not kind.style]
    if faults := [*_find_odd_bursts(bursts, steady, modes, settings)]:
        raise SettingsError(faults)
    first = _plan_bursts(bursts, settings) if bursts else ()
    if settings.mode != "compare" or not steady:
        return chosen, first
    timed = _plan_levels(compared, settings)
    return chosen, (*first, *(replace(one, number=len(first) + one.number) for one in timed))


def _plan_arrivals(chosen: Sequence[type[Any]], compared: Sequence[Compared], settings: Settings) -> tuple[Phase, ...]:
    plan = plan_rates(settings)
    if faults := list(find_unknown_operations(settings, plan, chosen)):
        raise SettingsError(faults)
    length = (plan.seconds, settings.warmup_seconds)

    def plan_phases(rates: tuple[float, ...]) -> tuple[Phase, ...]:
        return open_phases(compared, (settings.arrival, rates), settings.rounds, length, plan.curves)

    return scaled_phases(plan_phases, plan.rates, settings.scale_workers)


def _plan_levels(compared: Sequence[tuple[str, Mode]], settings: Settings) -> tuple[Phase, ...]:
    length = (settings.phase_seconds, settings.warmup_seconds)

    def plan(users: tuple[int, ...]) -> tuple[Phase, ...]:
        return timed_phases(compared, users, settings.rounds, length)

    return scaled_phases(plan, settings.concurrency, settings.scale_workers)


def _find_odd_bursts(
    bursts: Sequence[type[Any]], steady: Sequence[type[Any]], modes: Sequence[Mode], settings: Settings
) -> Iterator[Fault]:
    """What bursts cannot be combined with."""
    if bursts and settings.variants:
        yield _burst_variants(settings)
    elif bursts and settings.scale_workers:
        yield _burst_workers(settings)
    elif bursts and steady and (settings.mode != "compare" or {kind.mode for kind in steady} != set(modes)):
        yield from map(_mixed, steady)


def _burst_workers(settings: Settings) -> Fault:
    shown = ",".join(map(str, settings.scale_workers))
    return Fault("scale_workers", shown, "is for phases with a length, not for bursts", "Omit it, or run search.py.")


def _plan_bursts(bursts: Sequence[type[Any]], settings: Settings) -> tuple[Phase, ...]:
    styles = tuple(style for style in STYLES if any(kind.style == style for kind in bursts))
    operations = [one.name for one in find_layer(settings.client).burst_operations]
    return burst_phases(operations, styles, settings.burst)


def _find_single(settings: Settings) -> Iterator[Fault]:
    """Variants with several queries per search whose client can send only one."""
    for one in find_variants(settings):
        number = settings_of(settings, one).queries_per_search
        if number > 1 and not find_layer(one.client).connector.can_send_several:
            several = [name for name in CLIENTS if find_layer(name).connector.can_send_several]
            hint = f'Use a client with batch search: --variants "{several[0]}/{one.mode}", or omit it.'
            yield Fault("queries_per_search", str(number), f"is more than {one.client} can send in one search", hint)


def _find_other_kinds(settings: Settings) -> Iterator[Fault]:
    """Variants with a kind of search that their client cannot do."""
    for one in find_variants(settings):
        kind = settings_of(settings, one).search_kind
        if kind not in find_layer(one.client).connector.search_kinds:
            able = next(name for name in CLIENTS if kind in find_layer(name).connector.search_kinds)
            hint = f'Use a client that can: --variants "{able}/{one.mode} search-kind={kind}", or choose dense.'
            yield Fault("search_kind", kind, f"is not possible with {one.client}", hint)


def _find_mixed_data(settings: Settings) -> Iterator[Fault]:
    """Variants whose clients have different data and operations, so that nothing could be compared."""
    by_source: dict[bool, str] = {}
    for one in find_variants(settings):
        by_source.setdefault(find_layer(one.client).data is None, one.client)
    if len(by_source) > 1:
        problem = f"cannot be compared: {by_source[False]} has other data and operations than {by_source[True]}"
        yield Fault("variants", "; ".join(settings.variants), problem, "Run them separately.")


def _find_ignored(settings: Settings, chosen: Sequence[type[Any]]) -> Iterator[Fault]:
    """Settings of the run, or of a variant, that users of its mode do not honour."""
    result: dict[tuple[str, str], list[str]] = {}
    for variant in find_variants(settings):
        own = settings_of(settings, variant)
        for kind in chosen:
            for name in kind.ignores if kind.mode == variant.mode else ():
                if (value := getattr(own, name)) != Settings.model_fields[name].default:
                    result.setdefault((name, str(value)), []).append(kind.__name__)
    for (name, value), kinds in result.items():
        problem = f"is not honoured by {join_some(list(dict.fromkeys(kinds)))}"
        yield Fault(name, value, problem, "Omit it, or run another locustfile, such as search.py.")


def find_closed_flags(options: Any) -> list[Fault]:
    """Locust's -u and -r combined with arrivals; call it before Locust fills in their defaults."""
    arrival = str(getattr(options, "arrival", "closed"))
    searches = str(getattr(options, "find_rate", "") or "").strip()
    if arrival.strip() == "closed" and not searches:
        return []
    why = "--find-rate searches for a rate of arrivals" if searches else f"--arrival is {arrival}"
    problem = f"is for the closed model, but {why}"
    flags = {"users": options.num_users, "spawn-rate": options.spawn_rate}
    hint = "Omit it: --rate sets the load, --max-in-flight the concurrency."
    if searches:
        hint = "Omit it: --max-in-flight sets the concurrency."
    return [Fault(flag, str(value), problem, hint) for flag, value in flags.items() if value is not None]


def find_slow_start(options: Any) -> list[Fault]:
    """A --run-time that ends before the last user starts with -u and -r, which is when counting begins."""
    users, rate = options.num_users or 1, options.spawn_rate or 1.0
    if not options.run_time or options.run_time > (users - 1) / rate:
        return []
    problem = f"ends before all {users} users have started at {rate:g}/s, which is when counting begins"
    hint = f"Give a longer --run-time, or --spawn-rate {users}."
    return [Fault("run_time", f"{options.run_time:g}", problem, hint)]


def _not_open(kind: type[Any], arrival: str) -> Fault | None:
    """Why users of this class cannot serve arrivals; None if they can."""
    if kind.style:
        problem = "is a burst, not a single operation that can be scheduled"
    elif getattr(kind, "fixed_count", 0):
        problem = "has a fixed_count, but arrivals have no users to count"
    elif not kind.tasks or any(isinstance(task, type) for task in kind.tasks):
        problem = "has task sets or no tasks, but an arrival is one task drawn by weight"
    else:
        return None
    return Fault("user-classes", kind.__name__, f"{problem} (--arrival {arrival})", "Run it with --arrival closed.")


def _foreign(kind: type[Any]) -> Fault:
    problem = "is neither an AsyncUser nor a SyncUser, and Locust's greenlet users would block the process"
    return Fault("user-classes", kind.__name__, problem, "Derive it from loadgen.AsyncUser or loadgen.SyncUser.")


def _absent(settings: Settings, mode: Mode) -> Fault:
    name = f"{mode.value.capitalize()}User"
    if settings.variants:
        asked = "; ".join(one.text for one in find_variants(settings) if one.mode == mode)
        return Fault("variants", asked, f"has no {name} to run", f"Add a {name} to the locustfile.")
    return Fault("mode", settings.mode, f"has no {name} to run", f"Add a {name} to the locustfile, or name its mode.")


def _mixed(kind: type[Any]) -> Fault:
    return Fault("user-classes", kind.__name__, "is not a burst, but others are", "Run them separately.")


def _burst_variants(settings: Settings) -> Fault:
    problem = "need phases at a load level, and these users run bursts, which compare styles"
    return Fault("variants", "; ".join(settings.variants), problem, "Omit them, or run other users.")


def modes_of(settings: Settings) -> set[Mode]:
    """The modes of a run with these settings."""
    return {Mode(one.mode) for one in find_variants(settings)}


def clients_of(settings: Settings) -> tuple[str, ...]:
    """The client layers of the variants."""
    return tuple(dict.fromkeys(one.client for one in find_variants(settings)))


def operations_of(
    everyone: Iterable[type[Any]], clients: Sequence[str] = (DEFAULT_CLIENT,), staged: Sequence[Operation] = ()
) -> dict[Mode, set[Operation]]:
    """The operations that users of each mode perform with these client layers, as their classes declare them.

    Those of a vector store are replaced by the `staged` ones of the same name, if any.
    """
    result: dict[Mode, set[Operation]] = {}
    for kind in everyone:
        if issubclass(kind, LoadUser):
            performed = (one for client in clients for one in kind.performs(client))
            result.setdefault(kind.mode, set()).update(with_stages(performed, staged))
    return result


def staged_of(settings: Settings) -> tuple[Operation, ...]:
    """The operations of a vector store with their stages; none unless a variant measures them."""
    measured = any(settings_of(settings, one).stages for one in find_variants(settings))
    return declare_stages(OF_STORE, is_open=settings.arrival != "closed") if measured else ()


def with_stages(operations: Iterable[Operation], staged: Sequence[Operation]) -> Iterator[Operation]:
    """The operations, those of a vector store replaced by the staged ones of the same name, if any."""
    own = {one.name: one for one in staged}
    return (own.get(one.name, one) if one in OF_STORE else one for one in operations)


def name_operations(everyone: Iterable[type[Any]], settings: Settings) -> frozenset[str]:
    """The names of the operations that users of any mode perform, with the clients of all variants."""
    kinds = [kind for kind in everyone if issubclass(kind, LoadUser)]
    return frozenset(one.name for client in clients_of(settings) for kind in kinds for one in kind.performs(client))


def may_write(everyone: Iterable[type[Any]], clients: Sequence[str] = (DEFAULT_CLIENT,)) -> bool:
    """Whether any of these users may change rows with these clients; if not, the run can share the collection."""
    users = [kind for kind in everyone if issubclass(kind, LoadUser)]
    return any(one.writes for client in clients for kind in users for one in kind.performs(client))


def _find_strange(everyone: Sequence[type[Any]], client: str) -> list[Fault]:
    """Classes that declare operations of the default client, if another one is used that lacks them."""
    lacking = {one.name for one in find_layer().operations} - {one.name for one in find_layer(client).operations}
    faults = []
    for kind in everyone:
        declared = getattr(kind, "operations", None)
        if named := [name for name in sorted(lacking) if isinstance(declared, tuple | list) and name in declared]:
            problem = f"declares {', '.join(named)}, which --client {client} does not have"
            hint = f"Omit --client, or use a locustfile for {client}, such as rag_query.py."
            faults.append(Fault("user-classes", kind.__name__, problem, hint))
    return faults


def _find_undeclarable(everyone: Sequence[type[Any]], client: str) -> list[Fault]:
    """Classes with invalid `operations`, and too many operation names for a run."""
    faults: list[Fault] = []
    names: set[str] = set()
    for kind in everyone:
        try:
            names |= {one.name for one in kind.performs(client)}
        except ValueError as error:
            hint = 'Write for example operations = ("search", Operation("ask", stages=("generate",))).'
            faults.append(Fault("user-classes", kind.__name__, f"declares operations, but {error}", hint))
        for name in kind.ignores:
            if name not in Settings.model_fields:
                hint = 'Write for example ignores = ("filter",).'
                faults.append(Fault("user-classes", kind.__name__, f"ignores {name!r}, which is no setting", hint))
    names |= {one.name for one in find_layer(client).operations}  # always known, whoever declares
    if len(names) > NAMES_AT_MOST:
        problem = f"have {len(names)} operations, including those of the client; a run may have {NAMES_AT_MOST}"
        shown = ", ".join(kind.__name__ for kind in everyone)
        faults.append(Fault("user-classes", shown, problem, "Use one name for one kind of operation."))
    return faults
