"""Searches that are narrowed: which rows they may find, how clients send them, and rows that go into partitions."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from llama_index.vector_stores.milvus.base import _to_milvus_filter

from loadgen.clients import find_layer
from loadgen.datasets import (
    Checks,
    GroundTruth,
    GroundTruthKey,
    MatchingRows,
    Narrowing,
    Narrowings,
    find_neighbours,
    name_narrowing,
    open_dataset,
)
from loadgen.locust_plugin.preparation.selectivities import find_selectivities
from loadgen.locust_plugin.preparation.variant_setup import set_up_variants
from loadgen.measure.sample import Sample
from loadgen.milvus.store import narrow_query, to_query
from loadgen.milvus.store.batches import make_batches
from loadgen.milvus.store.manifest import find_differences, make_manifest
from loadgen.settings.faults import SettingsError
from loadgen.settings.filter_grammar import parse_filter, write_filter
from loadgen.settings.model import Settings
from loadgen.settings.variants import find_variants, settings_of

SMALL: dict[str, object] = {
    "rows": 2_500,
    "dim": 8,
    "clusters": 4,
    "queries": 30,
    "metadata": "tenant:int:20; lang:enum:de,en; year:int:2000-2026",
}


def settings_with(**given: object) -> Settings:
    return Settings.parse(SMALL | given)


def brute_force(settings: Settings) -> list[list[int]]:
    """Numbers of the rows that each query may find, by plain Python."""
    dataset = open_dataset(settings)
    rows, drawn = dataset.rows(0, dataset.size), dataset.metadata.draw_values(settings.queries)
    matching = []
    for number in range(settings.queries):
        tenant = drawn["tenant"][number]
        matching.append(
            [
                place
                for place, row in enumerate(rows)
                if row.metadata["tenant"] == tenant
                and (row.metadata["lang"] == "de" or row.metadata["year"] not in range(2010, 2027))
            ]
        )
    return matching


FILTER = "tenant == {tenant} and (lang == 'de' or not year >= 2010)"


def test_the_neighbours_under_a_filter_are_those_of_the_rows_that_match() -> None:
    settings = settings_with(filter=FILTER, metric="L2")
    dataset = open_dataset(settings)
    narrowings = Narrowings(settings, dataset)
    queries = dataset.queries()
    neighbours = find_neighbours(MatchingRows(dataset, narrowings.find_matches(30)), queries, "L2", 5)
    vectors = dataset.vectors(0, dataset.size)
    matching = brute_force(settings)
    for number, query in enumerate(queries):
        own = matching[number]
        far = np.linalg.norm(vectors[own] - query, axis=1)
        assert neighbours.rows_of(number).tolist() == sorted(own[place] for place in np.argsort(far)[:5])
    measured = narrowings.measure()
    shares = [len(own) / 2_500 for own in matching]
    assert (measured.mean, measured.least, measured.most) == pytest.approx((np.mean(shares), min(shares), max(shares)))
    assert (measured.queries, measured.without_match) == (30, 0)


def test_fewer_matches_than_neighbours_are_all_of_them_and_none_is_no_recall() -> None:
    settings = settings_with(metadata="tenant:int:100000; lang:enum:de,en", filter="tenant == {tenant}", rows=2_000)
    dataset = open_dataset(settings)
    matches = Narrowings(settings, dataset).find_matches(30)
    neighbours = find_neighbours(MatchingRows(dataset, matches), dataset.queries(), "COSINE", 10)
    counts = matches(0, 2_000).sum(axis=1)
    assert counts.max() < 10
    assert [len(neighbours.rows_of(number)) for number in range(30)] == counts.tolist()
    few = GroundTruth(10, np.array([0, 0, 2]), np.array([4, 5, 6]))
    assert few.recall(0, ["4", "5"], str) == 1.0
    assert few.recall(0, ["4"], str) == 0.5
    assert few.recall(1, [], str) is None
    checks = Checks()
    queries = [object(), object(), object()]
    checks.arm(1, [(GroundTruthKey(10, "narrow"), queries)], str)
    checks.learn([GroundTruth(10, few.owners, few.rows, "narrow"), GroundTruth(10, np.array([0]), np.array([9]))])
    for query in queries:
        checks.keep("search", query, ["4", "6"])
    assert [(check.query, check.recall) for check in checks.settle()] == [(0, 0.5), (2, 1.0)]


def test_the_ground_truth_is_sent_with_what_it_is_of() -> None:
    truth = GroundTruth(3, np.array([0]), np.array([1]), "tenant == 1 |  | ")
    assert GroundTruth.from_message(truth.as_message()).narrowing == "tenant == 1 |  | "


def test_a_filter_that_matches_no_row_is_refused_and_others_are_reported() -> None:
    reported: list[str] = []
    text = 'all: async; none: async filter="year > 3000"; one: sync filter="tenant == 1"'
    settings = settings_with(variants=text)
    with pytest.raises(SettingsError, match="--filter year > 3000: matches no row, for any query"):
        find_selectivities(set_up_variants(settings), open_dataset(settings), reported.append)
    settings = settings_with(variants='all: async; one: sync filter="tenant == 1"')
    selectivities = find_selectivities(set_up_variants(settings), open_dataset(settings), reported.append)
    assert list(selectivities) == ["one"]
    assert selectivities["one"].mean == selectivities["one"].least == pytest.approx(1 / 20, abs=0.02)
    assert reported[-1] == f"Searches of one may find {100 * selectivities['one'].mean:.3g} % of the rows"


def test_a_search_in_a_partition_may_find_its_rows() -> None:
    settings = settings_with(partitions="a,b,c", partition_skew="zipf:1")
    dataset = open_dataset(settings)
    narrowings = Narrowings(settings, dataset)
    parts = [one.partition for one in narrowings.make()]
    rows = [
        batch.arguments["milvus_partition_name"] for batch in make_batches(dataset, settings, 500) for _ in batch.nodes
    ]
    shares = {name: number / 2_500 for name, number in Counter(rows).items()}
    assert shares["a"] > shares["b"] > shares["c"] > 0.1
    measured = narrowings.measure()
    assert measured.mean == pytest.approx(sum(shares[part] for part in parts) / 30)
    assert (measured.least, measured.most) == pytest.approx((min(shares.values()), shares["a"]))


def test_batches_hold_each_row_once_and_few_of_them_wait() -> None:
    settings = settings_with(partitions="7", batch_size=50)
    dataset = open_dataset(settings)
    batches = list(make_batches(dataset, settings, 120))
    assert all(len(batch.nodes) <= 50 for batch in batches)
    ids = [node.node_id for batch in batches for node in batch.nodes]
    assert sorted(ids) == sorted(dataset.row_id(number) for number in range(2_500))
    plain = list(make_batches(dataset, settings_with(batch_size=50), 120))
    assert [len(batch.nodes) for batch in plain] == [50] * 50
    assert all(batch.arguments == {} for batch in plain)


@pytest.mark.parametrize(
    ("text", "filters", "string"),
    [
        ("tenant == 5", "tenant == 5", None),
        ("tenant == 5 and (year >= 2020 or lang != 'de')", "( tenant == 5 and (year >= 2020 or lang != 'de'))", None),
        ("lang in ['de', 'en'] or year not in [1]", "(lang in ['de', 'en'] or year not in [1])", None),
        ("not tenant == 5", None, "not (tenant == 5)"),
        ('lang == "it\'s"', None, 'lang == "it\'s"'),
        ("lang like 'd%'", None, 'lang like "d%"'),
        ("a in [1, 'x']", None, 'a in [1, "x"]'),
    ],
)
def test_llamaindex_gets_metadata_filters_where_they_can_express_it(
    text: str, filters: str | None, string: str | None
) -> None:
    settings = settings_with()
    query = to_query(np.ones(8, dtype=np.float32), settings)
    result = narrow_query(query, Narrowing(parse_filter(text), partition="p3"))
    assert result.query_embedding is query.query_embedding
    assert result.arguments["milvus_partition_names"] == ["p3"]
    assert result.arguments.get("string_expr") == string
    sent = None if result.filters is None else _to_milvus_filter(result.filters)
    assert (sent or "").replace(" ", "") == (filters or "").replace(" ", "")


def test_clients_send_filter_and_partition() -> None:
    layer = find_layer("pymilvus")
    settings = settings_with()
    query = layer.connector.make_query([np.ones(8, dtype=np.float32)], settings)
    result = layer.connector.narrow_query(query, Narrowing(parse_filter("tenant == 5"), partition="p1"))
    assert (result.arguments["filter"], result.arguments["partition_names"]) == ("tenant == 5", ["p1"])
    assert result.arguments["data"] is query.arguments["data"]
    assert "filter" not in query.arguments
    only_server = layer.connector.narrow_query(query, Narrowing(text="json_contains(tags, 1)"))
    assert only_server.arguments["filter"] == "json_contains(tags, 1)"
    assert "partition_names" not in only_server.arguments


class RecordingStore:
    """A MilvusVectorStore, or a connection of pymilvus, that says what it was called with."""

    collection = "c"
    upserts = False

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.client = self

    def query(self, _query: Any, **kwargs: Any) -> Any:
        self.calls.append(("query", kwargs))
        return type("Result", (), {"ids": ["1"]})()

    def add(self, nodes: list[Any], **kwargs: Any) -> list[str]:
        self.calls.append(("add", kwargs))
        return ["1"] * len(nodes)

    def insert(self, _collection: str, nodes: list[Any], **kwargs: Any) -> Any:
        self.calls.append(("insert", kwargs))
        return {"ids": [1] * len(nodes)}

    def upsert(self, _collection: str, nodes: list[Any], **kwargs: Any) -> Any:
        self.calls.append(("upsert", kwargs))
        return {"ids": [1] * len(nodes)}


def test_a_narrowed_search_and_placed_nodes_take_their_arguments_to_the_store() -> None:
    from loadgen.clients.llamaindex import SyncClient
    from loadgen.clients.pymilvus import SyncClient as PlainClient

    store = RecordingStore()
    samples: list[Sample] = []
    client = SyncClient(store, samples.append)
    connector = find_layer().connector
    query = to_query(np.ones(8, dtype=np.float32), settings_with())
    client.search(query)
    client.search(connector.narrow_query(query, Narrowing(parse_filter("not a == 1"), partition="p1")))
    client.insert(connector.place_nodes([object()], "p2"))
    client.insert([object()])
    plain = PlainClient(store, samples.append)
    plain.insert(find_layer("pymilvus").connector.place_nodes([{}], "p2"))
    store.upserts = True
    plain.insert([{}])
    assert store.calls == [
        ("query", {}),
        ("query", {"milvus_partition_names": ["p1"], "string_expr": "not (a == 1)"}),
        ("add", {"milvus_partition_name": "p2"}),
        ("add", {}),
        ("insert", {"partition_name": "p2"}),
        ("upsert", {}),
    ]
    assert all(sample.error is None for sample in samples)


def test_equal_values_share_their_narrowing() -> None:
    settings = settings_with(filter="tenant == {tenant}")
    made = Narrowings(settings, open_dataset(settings)).make()
    assert len(made) == 30
    assert len({id(one) for one in made}) == len({write_filter(one.expression) for one in made if one.expression}) < 30


def test_variants_with_other_partitions_have_collections_of_their_own() -> None:
    text = 'async; async filter="tenant == 1"; sync partitions=64; sync partition-key=tenant'
    settings = settings_with(variants=text, partition_skew="zipf:1.1")
    own = [settings_of(settings, one) for one in find_variants(settings)]
    assert [one.collection for one in own] == ["loadgen", "loadgen", "loadgen_p64", "loadgen_tenant"]
    assert len({name_narrowing(one) for one in own}) == 3
    assert [one.partition_skew for one in own[1:]] == ["none", "zipf:1.1", "zipf:1.1"]


def test_a_collection_with_other_texts_metadata_or_partitions_is_not_used_again() -> None:
    given = settings_with(partitions="4", text_bytes=100)
    kept = make_manifest(given, open_dataset(given))
    assert find_differences(kept, kept, given) == []
    other = settings_with(partitions="8", metadata="tenant:int:20")
    faults = find_differences(kept, make_manifest(other, open_dataset(other)), other)
    assert [(fault.setting, fault.value) for fault in faults] == [
        ("text_bytes", "0"), ("metadata", "tenant:int:20"), ("partitions", "8"),
    ]  # fmt: skip
    assert str(faults[2]) == (
        "--partitions 8: collection 'loadgen' has 4. "
        "Use --partitions 4, use another --collection, or --fresh to reload it."
    )
    plain = Settings.parse({"rows": 10, "dim": 4})
    manifest = make_manifest(plain, open_dataset(plain))
    assert not {"text_bytes", "metadata", "partitions"} & set(manifest), "as earlier versions wrote it"
