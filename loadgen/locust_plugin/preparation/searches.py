"""The searches of a process, made once for the variants that can share them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from loadgen.datasets import (
    Dataset,
    GroundTruthKey,
    HasJudge,
    Narrowings,
    Partitioning,
    find_query_texts,
    name_narrowing,
)
from loadgen.locust_plugin.preparation.variant_setup import VariantSetup
from loadgen.settings.narrowing import narrows
from loadgen.settings.values import DENSE
from loadgen.settings.variants import DEFAULT_CLIENT
from loadgen.users import ProcessState


def make_queries(
    process_state: ProcessState, variants: Mapping[str, VariantSetup], datasets: Mapping[str, Dataset]
) -> None:
    """The queries of every variant, of the same vectors, created once for those with equal settings."""
    settings = process_state.settings
    vectors = {id(dataset): dataset.queries() for dataset in datasets.values()}
    first: dict[tuple[object, ...], list[Any]] = {}
    made: dict[QueryKey, list[Any]] = {}
    own = {}
    for name, one in variants.items():
        dataset = datasets[one.settings.collection]
        of_vectors = (id(dataset), one.settings.queries_per_search, one.settings.has_full_text)
        key, alike = _decides_queries(one), (one.client, *of_vectors)
        if alike not in first:
            first[alike] = searches = _make_searches(one, dataset, vectors[id(dataset)])
            made[key] = _narrow(one, dataset, searches)
        elif key not in made:
            varied = [one.layer.connector.vary_query(query, one.settings) for query in first[alike]]
            made[key] = _narrow(one, dataset, varied)
        own[name] = made[key]
    checked = [key for key in made if key.queries_per_search == 1 and key.search_kind == DENSE]
    asked = [(GroundTruthKey(key.top_k, key.narrowing), made[key]) for key in checked]
    process_state.queries = own
    partitioned = {name: one.settings for name, one in variants.items() if one.settings.partitions}
    process_state.partitionings = {name: Partitioning.of(one) for name, one in partitioned.items()}
    row_id = next(iter(datasets.values())).row_id if datasets else str
    judges = {
        GroundTruthKey(one.settings.top_k): dataset.judge
        for one in variants.values()
        if isinstance(dataset := datasets[one.settings.collection], HasJudge)
    }
    every = 0 if settings.existing and not judges else settings.recall_every
    process_state.checks.arm(every, asked, row_id, judges)


class QueryKey(NamedTuple):
    """Equal for variants that can share their queries."""

    client: str
    top_k: int
    output_fields: tuple[str, ...]
    queries_per_search: int
    search_kind: str
    narrowing: str
    """Filter and partitions, by `name_narrowing`."""
    bound: str
    """What else the queries contain; nothing for LlamaIndex on collections with the same data."""


def _decides_queries(one: VariantSetup) -> QueryKey:
    settings = one.settings
    bound = () if one.client == DEFAULT_CLIENT and one.info is None else (settings.collection, settings.search_config)
    searched = (settings.output_fields, settings.queries_per_search, settings.search_kind, name_narrowing(settings))
    return QueryKey(one.client, settings.top_k, *searched, repr(bound))


def _make_searches(one: VariantSetup, dataset: Dataset, vectors: Any) -> list[Any]:
    several = one.settings.queries_per_search
    groups = ([vectors[(first + step) % len(vectors)] for step in range(several)] for first in range(len(vectors)))
    has_texts = one.settings.has_full_text or one.layer.data is not None
    texts = find_query_texts(dataset, len(vectors)) if has_texts else [""] * len(vectors)
    pairs = zip(groups, texts, strict=True)
    return [one.layer.connector.make_query(group, one.settings, text) for group, text in pairs]


def _narrow(one: VariantSetup, dataset: Dataset, queries: list[Any]) -> list[Any]:
    """With the filter and the partition of each; several vectors of one search have those of the first."""
    if not narrows(one.settings):
        return queries
    narrowings = Narrowings(one.settings, dataset).make()
    return [one.layer.connector.narrow_query(*pair) for pair in zip(queries, narrowings, strict=True)]
