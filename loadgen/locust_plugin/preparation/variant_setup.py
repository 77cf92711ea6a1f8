"""What a process needs for each variant."""

from collections.abc import Callable, Collection, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from loadgen.clients import DataSource, Layer, find_layer
from loadgen.datasets import Dataset, open_dataset, resolve_settings, reword, with_query_file
from loadgen.measure.sample import Mode
from loadgen.milvus.store import CollectionInfo, open_existing
from loadgen.runtime.hub import run_in_thread
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from loadgen.settings.variants import find_variants, settings_of


@dataclass(frozen=True, slots=True)
class VariantSetup:
    """One variant, resolved."""

    mode: Mode
    settings: Settings
    layer: Layer
    client: str
    """The name of the client layer."""
    info: CollectionInfo | None = None
    """Its existing collection, if measured as it is."""


def set_up_variants(
    settings: Settings,
    collections: Mapping[str, Mapping[str, Any]] | None = None,
    modes: Container[Mode] = tuple(Mode),
) -> dict[str, VariantSetup]:
    """The variants of a run in these modes, in order, by name; `collections` are the existing ones, by name."""
    known = {name: CollectionInfo.from_message(message) for name, message in (collections or {}).items()}
    result = {}
    for one in find_variants(settings):
        if Mode(one.mode) not in modes:
            continue
        own = settings_of(settings, one)
        info = known.get(own.collection)
        resolved = info.apply(own) if info else own
        result[one.name] = VariantSetup(Mode(one.mode), resolved, find_layer(one.client), one.client, info)
    return result


def resolve_data(settings: Settings, operations: Collection[str] | None = None) -> Settings:
    """The settings of a run with the values of its data: of a dataset, or of its client's own.

    `operations` are the names of those that its users perform; None if it is not known.
    Raises SettingsError with every fault. Reads files; sends nothing, unless a model's dimension is unknown.
    """
    data = find_source(settings)
    if data is None:
        return resolve_settings(settings)
    if operations is not None:
        settings = data.adapt(settings, operations)
    every = [one.settings for one in set_up_variants(settings).values()]
    if faults := data.find_faults([settings, *every], operations):
        raise SettingsError(list(dict.fromkeys(faults)))
    return data.resolve(settings)


def describe_data(settings: Settings) -> str:
    """What a process of this run has to read and must find equal to the others'; empty if its client has no own data.

    Reads it on a thread, and blocks the greenlet meanwhile.
    """
    data = find_source(settings)
    return run_in_thread(lambda: data.describe(settings)) if data is not None else ""


def find_source(settings: Settings) -> DataSource | None:
    """The data of the client of the first variant; the others have the same. None: the dataset of the settings."""
    return find_layer(find_variants(settings)[0].client).data


def resolve_variants(variants: Mapping[str, VariantSetup]) -> dict[str, VariantSetup]:
    """The variants with the values of their own data, which may differ, as those of other embeddings do."""

    def resolve(one: VariantSetup) -> VariantSetup:
        data = one.layer.data
        return one if data is None else replace(one, settings=data.resolve(one.settings))

    return {name: resolve(one) for name, one in variants.items()}


def open_own(settings: Settings) -> Dataset:
    """The dataset of a collection that this tool makes. Raises SettingsError."""
    data = find_source(settings)
    return open_dataset(settings) if data is None else data.open(settings)


def make_resolver(collections: Mapping[str, Mapping[str, Any]]) -> Callable[[Settings], Settings]:
    """A function that adds the values given by its existing collection to the settings of a run or variant."""
    known = {name: CollectionInfo.from_message(message) for name, message in collections.items()}

    def apply(one: Settings) -> Settings:
        info = known.get(one.collection)
        return info.apply(one) if info else one

    return apply


def open_datasets(settings: Settings, variants: Iterable[VariantSetup]) -> dict[str, Dataset]:
    """The dataset of each collection, by its name. Existing ones are read: blocks. Raises StoreError."""
    datasets: dict[str, Dataset] = {}
    is_shared = not settings.existing and find_source(settings) is None
    shared = open_dataset(settings) if is_shared else None
    for one in variants:
        if one.settings.collection not in datasets:
            if one.layer.data is not None:
                dataset = one.layer.data.open(one.settings, one.info.token if one.info else 0)
            elif one.info is not None:
                dataset = with_query_file(open_existing(one.settings, one.info), one.settings)
            else:
                assert shared is not None  # noqa: S101 - a run has existing collections or none
                dataset = reword(shared, one.settings)
            datasets[one.settings.collection] = dataset
    return datasets
