"""How many rows the searches of each variant may find: known before the load, and refused if there are none."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from loadgen.datasets import Dataset, Metadata, Narrowings, OnServer, Selectivity, name_narrowing, summarise
from loadgen.locust_plugin.preparation.variant_setup import VariantSetup
from loadgen.milvus.store import CollectionInfo, count_matches, read_drawn, try_search
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings
from loadgen.settings.narrowing import find_filter_hint, narrows

COUNTED = 32
"""Different filters that the server of an existing collection counts the rows of, at most."""


def find_selectivities(
    variants: Mapping[str, VariantSetup], dataset: Dataset, tell: Callable[[str], None]
) -> dict[str, Selectivity]:
    """The selectivity of each variant with a filter or partitions. Reads the metadata of all rows: blocks.

    Raises SettingsError for variants whose searches match no row.
    """
    measured: dict[str, Selectivity] = {}
    selectivities = {}
    faults: list[Fault] = []
    for name, one in variants.items():
        if not narrows(one.settings):
            continue
        key = name_narrowing(one.settings)
        try:
            if key not in measured:
                measured[key] = Narrowings(one.settings, dataset).measure()
            selectivities[name] = measured[key]
        except SettingsError as error:
            faults += error.faults
        except TypeError:  # of numpy: only a field of a file has a type that is known so late
            problem = "compares a number with a text"
            faults.append(Fault("filter", one.settings.filter, problem, "Give a value of the field's type."))
    if faults:
        raise SettingsError(list(dict.fromkeys(faults)))
    check_selectivities(variants, selectivities, tell)
    return selectivities


def measure_existing(variants: Mapping[str, VariantSetup], tell: Callable[[str], None]) -> dict[str, Selectivity]:
    """The selectivity of each variant on an existing collection, counted by its server: blocks. Changes nothing.

    Of the narrowings that the queries draw most often, each with its share of the queries; counted once for variants
    that narrow alike. Raises SettingsError for a filter that the server refuses, or that matches no row.
    """
    existing = {}
    partly = []
    faults = []
    values: dict[str, Metadata] = {}
    known: dict[tuple[str, str], MatchCounts] = {}
    for name, one in variants.items():
        settings, info = one.settings, one.info
        if info is None or not narrows(settings):
            continue
        if info.name not in values:
            values[info.name] = read_drawn(settings, info)
        key = info.name, name_narrowing(settings)
        if key not in known:
            known[key] = _count(settings, info, values[info.name])
        counted = known[key]
        if counted.refusal:
            problem = f"is refused by the server ({counted.refusal})"
            faults.append(Fault("filter", settings.filter, problem, find_filter_hint(settings.filter)))
        elif counted.reason:
            reason = f"the server does not count them ({counted.reason})"
            tell(f"How many rows searches of {name} may find is not known: {reason}")
        else:
            existing[name] = summarise(counted.matches, info.rows)
            partly += [name] if counted.is_partial else []
    if faults:
        raise SettingsError(list(dict.fromkeys(faults)))
    check_selectivities(variants, existing, tell, partly)
    return existing


class MatchCounts(NamedTuple):
    """What the server of an existing collection says of a filter or of partitions."""

    matches: Sequence[int] = ()
    """Rows that match, for each of the queries looked at."""
    is_partial: bool = False
    """Not all queries were looked at."""
    reason: str = ""
    """Why it does not count them."""
    refusal: str = ""
    """Why it does not accept the filter at all."""


def _count(settings: Settings, info: CollectionInfo, values: Metadata) -> MatchCounts:
    drawn = Counter(Narrowings(settings, OnServer(info.rows, values)).make())
    looked_at = drawn.most_common(COUNTED)
    counts = count_matches(settings, info, [narrowing for narrowing, _ in looked_at])
    if isinstance(counts, str):
        return MatchCounts(
            reason=counts, refusal=try_search(settings, info, looked_at[0][0]) if settings.filter else ""
        )
    matches = [count for count, (_, number) in zip(counts, looked_at, strict=True) for _ in range(number)]
    return MatchCounts(matches, is_partial=len(drawn) > COUNTED)


def check_selectivities(
    variants: Mapping[str, VariantSetup],
    result: Mapping[str, Selectivity],
    tell: Callable[[str], None],
    partly: Collection[str] = (),
) -> None:
    """Report what each filter matches; `partly` are variants of which not all filters were looked at.

    Raises SettingsError for other filters that match no row.
    """
    faults = []
    for name, one in result.items():
        settings = variants[name].settings
        setting, value = ("filter", settings.filter) if settings.filter else ("partitions", settings.partitions)
        if one.without_match == one.queries and name not in partly:
            faults.append(Fault(setting, value, "matches no row, for any query", "Compare with values that rows have."))
            continue
        tell(f"Searches of {name} {describe_selectivity(one)}")
        if one.without_match:
            looked = "the queries looked at" if name in partly else "queries"
            tell(f"{one.without_match:,} of {one.queries:,} {looked} match no row: their answers are counted as empty")
    if faults:
        raise SettingsError(list(dict.fromkeys(faults)))


def describe_selectivity(one: Selectivity) -> str:
    """For a log line: may find 1.01 % of the rows (0.8 to 1.2 %)."""
    shown = f"may find {100 * one.mean:.3g} % of the rows"
    return shown if one.least == one.most else f"{shown} ({100 * one.least:.3g} to {100 * one.most:.3g} %)"
