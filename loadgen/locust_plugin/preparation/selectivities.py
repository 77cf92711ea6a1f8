"""How many rows the searches of each variant may find: known before the load, and refused if there are none."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping

from loadgen.datasets import Dataset, Metadata, Narrowings, OnServer, Selectivity, name_narrowing, summarise
from loadgen.locust_plugin.preparation.variant_setup import VariantSetup
from loadgen.milvus.store import count_matches, try_search
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.narrowing import narrows

COUNTED = 32
"""Different filters that the server of an existing collection counts the rows of, at most."""


def find_selectivities(
    variants: Mapping[str, VariantSetup], dataset: Dataset, tell: Callable[[str], None]
) -> dict[str, Selectivity]:
    """The selectivity of each variant with a filter or partitions. Reads the metadata of all rows: blocks.

    Raises SettingsError for variants whose searches match no row.
    """
    measured: dict[str, Selectivity] = {}
    found = {}
    faults: list[Fault] = []
    for name, one in variants.items():
        if not narrows(one.settings):
            continue
        key = name_narrowing(one.settings)
        try:
            if key not in measured:
                measured[key] = Narrowings(one.settings, dataset).measure()
            found[name] = measured[key]
        except SettingsError as error:
            faults += error.faults
        except TypeError:  # of numpy: only a field of a file has a type that is known so late
            problem = "compares a number with a text"
            faults.append(Fault("filter", one.settings.filter, problem, "Give a value of the field's type."))
    if faults:
        raise SettingsError(list(dict.fromkeys(faults)))
    check_selectivities(variants, found, tell)
    return found


def measure_existing(variants: Mapping[str, VariantSetup], tell: Callable[[str], None]) -> dict[str, Selectivity]:
    """The selectivity of each variant on an existing collection, counted by its server: blocks. Changes nothing.

    Of the narrowings that the queries draw most often, each with its share of the queries. Raises SettingsError for a
    filter that the server refuses, or that matches no row.
    """
    found = {}
    partly = []
    faults = []
    for name, one in variants.items():
        settings, info = one.settings, one.info
        if info is None or not narrows(settings):
            continue
        drawn = Counter(Narrowings(settings, OnServer(info.rows, Metadata.of(settings))).make())
        counted = drawn.most_common(COUNTED)
        counts = count_matches(settings, info, [narrowing for narrowing, _ in counted])
        if not isinstance(counts, str):
            queries = [count for count, (_, number) in zip(counts, counted, strict=True) for _ in range(number)]
            found[name] = summarise(queries, info.rows)
            partly += [name] if len(drawn) > COUNTED else []
        elif settings.filter and (why := try_search(settings, info, counted[0][0])):
            faults.append(Fault("filter", settings.filter, f"is refused by the server ({why})", "Correct it."))
        else:
            tell(f"How many rows searches of {name} may find is not known: the server does not count them ({counts})")
    if faults:
        raise SettingsError(list(dict.fromkeys(faults)))
    check_selectivities(variants, found, tell, partly)
    return found


def check_selectivities(
    variants: Mapping[str, VariantSetup],
    found: Mapping[str, Selectivity],
    tell: Callable[[str], None],
    partly: Collection[str] = (),
) -> None:
    """Report what each filter matches; `partly` are variants of which not all filters were looked at.

    Raises SettingsError for other filters that match no row.
    """
    faults = []
    for name, one in found.items():
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
