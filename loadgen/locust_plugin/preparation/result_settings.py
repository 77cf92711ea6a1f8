"""The settings of the result: faults in them, and the limits that they set."""

from collections.abc import Collection
from typing import Any

from loadgen.exporters.otlp import find_export_faults
from loadgen.locust_plugin.preparation.abort_checks import find_abort_faults
from loadgen.locust_plugin.preparation.objective_checks import find_objective_faults
from loadgen.locust_plugin.preparation.requirement_checks import find_unreachable
from loadgen.results.record import check_folder
from loadgen.results.record.object_store import check_installed
from loadgen.results.requirements import (
    CHECKED,
    FailureLimit,
    Requirement,
    parse_max_empty,
    parse_max_failures,
    parse_requirement,
    read_rate_conditions,
)
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings
from loadgen.settings.rag_conflicts import is_rag
from loadgen.settings.rate_search import is_search
from loadgen.settings.values import DENSE
from loadgen.settings.variants import find_variants, settings_of
from loadgen.text.listing import join

LIMITS = 5
"""Times the longest limit on a time that a step of a search must last."""


def find_faults(settings: Settings, everyone: Collection[type[Any]] = (), users: int | None = None) -> list[Fault]:
    """Faults in the settings of the result: the folder, and requirements that nothing in the run can meet.

    `everyone` are the user classes and `users` the number of users of a run of one mode, if known.
    """
    faults = find_export_faults(settings.otlp)
    if settings.record and (fault := check_folder(settings.record)):
        faults.append(fault)
    if settings.record_url and (fault := check_installed(settings.record_url)):
        faults.append(fault)
    wanted: list[Requirement] = []
    names = [one.name for one in find_variants(settings)]
    for text in settings.require:
        try:
            wanted.append(parse_requirement(text, names))
        except SettingsError as error:
            faults += error.faults
    faults += find_unreachable(settings, wanted, everyone, users)
    faults += find_abort_faults(settings, everyone, users)
    sought, unreadable = read_rate_conditions(settings.find_rate, names)
    unreachable = [*find_unreachable(settings, sought, everyone, users)]
    faults += [*unreadable, *(fault._replace(setting="find_rate") for fault in unreachable)]
    faults += _find_short_steps(settings, sought)
    faults += [] if unreadable else _find_unconditional(settings, sought, names)
    wanted += sought
    faults += find_objective_faults(settings, wanted, everyone)
    checked = list(dict.fromkeys(each.figure for each in wanted if each.figure in CHECKED))
    if not settings.recall_every and checked:
        problem = f"leaves the required {join(checked)} unmeasured"
        faults.append(Fault("recall_every", "0", problem, "Use --recall-every 20."))
    if settings.existing and not is_rag(settings) and any(each.figure == "recall" for each in wanted):
        problem = "leaves the required recall unmeasured: its exact neighbours are unknown"
        faults.append(Fault("existing", "", problem, "Omit the requirement."))
    faults += _find_unmeasured_recall(settings, wanted)
    for check in (failure_limit, most_empty):
        try:
            check(settings)
        except SettingsError as error:
            faults += error.faults
    return faults


def _find_short_steps(settings: Settings, sought: Collection[Requirement]) -> list[Fault]:
    """Steps of a search in which the delays of an overload do not reach a limit."""
    slow = [one for one in sought if one.is_upper_time and LIMITS * one.limit > settings.phase_seconds]
    if not slow:
        return []
    longest = max(slow, key=lambda one: one.limit)
    problem = f'is too short a step for "{longest.text}": an overload would end before it shows'
    hint = f"Give --phase-seconds {LIMITS * longest.limit:g} or more."
    return [Fault("phase_seconds", f"{settings.phase_seconds:g}", problem, hint)]


def _find_unconditional(settings: Settings, sought: Collection[Requirement], names: Collection[str]) -> list[Fault]:
    """Variants of a search without any condition: every step of theirs would pass, whatever the answers are."""
    free = [name for name in names if sought and not any(one.variant in (None, name) for one in sought)]
    if not free:
        return []
    problem = f"has no condition for {join(free)}"
    return [Fault("find_rate", f'"{settings.find_rate}"', problem, "Add one, or name no variant in one.")]


def _find_unmeasured_recall(settings: Settings, wanted: Collection[Requirement]) -> list[Fault]:
    """Required recalls of variants whose answers the exact neighbours do not describe."""
    kinds = {one.name: settings_of(settings, one).search_kind for one in find_variants(settings)}
    required = [one for one in wanted if one.figure == "recall"]
    others = {kinds[name] for one in required for name in ([one.variant] if one.variant in kinds else kinds)} - {DENSE}
    if not others:
        return []
    problem = "leaves the required recall unmeasured: exact neighbours are known of dense searches only"
    return [Fault("search_kind", join(sorted(others)), problem, "Omit the requirement, or name a dense variant in it.")]


def failure_limit(settings: Settings) -> FailureLimit | None:
    """The limit of failures; None without one. Raises SettingsError."""
    return parse_max_failures(settings.max_failures) if settings.max_failures else None


def most_empty(settings: Settings) -> float:
    """The share of answers that may be empty. Raises SettingsError."""
    return parse_max_empty(settings.max_empty)


def is_tolerant(settings: Settings) -> bool:
    """Whether failures alone leave the exit code 0: something else judges them, or a search went beyond the edge."""
    return bool(failure_limit(settings) or settings.require or is_search(settings))
