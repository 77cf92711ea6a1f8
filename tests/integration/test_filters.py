"""Filters, partitions, metadata and sized texts, through the `locust` command on both servers."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadgen.datasets import Metadata, Partitioning, open_dataset
from loadgen.measure.sample import Outcome
from loadgen.results.record import RunRecord, VariantRecord
from loadgen.settings.model import Settings
from tests.integration.locust_command import Run, record_of, run_locust
from tests.integration.plain_clients import client_of

ROWS, DIM, QUERIES = 1_500, 16, 40
METADATA = "tenant:int:20; lang:enum:de,en; year:int:2000-2026"
DATA = ("--rows", str(ROWS), "--dim", str(DIM), "--clusters", "8", "--queries", str(QUERIES), "--index-type", "FLAT")
BRIEF = (
    "--concurrency",
    "2",
    "--rounds",
    "1",
    "--phase-seconds",
    "0.5",
    "--warmup-seconds",
    "0.2",
    "--recall-every",
    "1",
)
FILTER = "tenant == {tenant} and (lang == 'de' or year >= 2010)"
NEGATED = "not (tenant != {tenant} or lang in ['en'])"
EVERY = 'id != ""'
"""Without a filter Milvus Lite counts the rows of all partitions, whichever is asked for."""
STRONG: Any = {"output_fields": ["count(*)"], "consistency_level": "Strong"}
SETTINGS = {"rows": ROWS, "dim": DIM, "clusters": 8, "queries": QUERIES}


def run(uri: str, name: str, folder: Path, *flags: str, **more: Any) -> Run:
    return run_locust(folder, "--host", uri, "--collection", name, *DATA, *BRIEF, *flags, **more)


@pytest.fixture(params=["milvus", "lite"])
def uri(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_uri"))


def variant(record: RunRecord, name: str) -> VariantRecord:
    return next(one for one in record.manifest.variants if one.name == name)


def brute_shares(text: str) -> list[float]:
    """The share of the rows that each query matches, by plain Python over the rows that the tool makes."""
    dataset = open_dataset(Settings.parse(SETTINGS | {"metadata": METADATA}))
    rows = [row.metadata for row in dataset.rows(0, ROWS)]
    tenants = dataset.metadata.draw_values(QUERIES)["tenant"].tolist()
    if text == FILTER:
        result = [
            [row["tenant"] == t and (row["lang"] == "de" or row["year"] >= 2010) for row in rows] for t in tenants
        ]
    else:
        result = [[row["tenant"] == t and row["lang"] != "en" for row in rows] for t in tenants]
    return [sum(one) / ROWS for one in result]


def test_recall_under_a_filter_is_that_of_an_exact_search(uri: str, tmp_path: Path) -> None:
    """FLAT is exact, so that 1 shows that server and ground truth agree on the rows that match."""
    text = (
        f'plain: async; filtered: async filter="{FILTER}"; negated: sync filter="{NEGATED}"; '
        f'below: pymilvus/sync filter="{NEGATED}"'
    )
    done = run(uri, "filtered", tmp_path, "--metadata", METADATA, "--text-bytes", "1200", "--variants", text)
    done.assert_good()
    record = record_of(tmp_path)
    for phase in record.phases:
        (search,) = phase.operations
        assert set(search.outcomes) == {Outcome.OK}
        assert search.recall == 1.0, phase.variant
        assert search.recall_checks > 0
    assert variant(record, "plain").selectivity is None
    for name, own in (("filtered", FILTER), ("negated", NEGATED), ("below", NEGATED)):
        result, shares = variant(record, name).selectivity, brute_shares(own)
        assert result is not None
        assert (result.mean, result.least, result.most) == pytest.approx((np.mean(shares), min(shares), max(shares)))
        assert (result.queries, result.without_match) == (QUERIES, 0)
    assert "Searches of filtered may find" in done.out
    assert "Negated and below give the same answers to 40 queries" in done.err
    assert "filtered give the same answers" not in done.err
    with client_of(uri) as client:
        rows = client.query(
            "filtered", filter="tenant == 3", output_fields=["text", "lang", "year", "tenant"], limit=50
        )
        assert {len(row["text"].encode()) for row in rows} == {1_200}
        assert {row["lang"] for row in rows} == {"de", "en"}


def test_partitions_hold_the_rows_that_the_data_say_and_inserts_go_into_them(uri: str, tmp_path: Path) -> None:
    flags = ("--partitions", "6", "--partition-skew", "zipf:1.1", "--variants", "async; sync")
    done = run(uri, "parted", tmp_path, *flags, "--text-bytes", "300", files="mixed.py")
    done.assert_good()
    record = record_of(tmp_path)
    settings = Settings.parse(SETTINGS | {"partitions": "6", "partition_skew": "zipf:1.1"})
    parts = Partitioning.of(settings)
    expected = Counter(parts.numbers(Metadata.of(settings).places(0, ROWS)).tolist())
    selectivity = variant(record, "sync").selectivity
    assert selectivity is not None
    assert selectivity.most == pytest.approx(expected[0] / ROWS)
    with client_of(uri) as client:
        assert sorted(client.list_partitions("parted")) == sorted([*parts.names, "_default"])
        inserted = 0
        for number, name in enumerate(parts.names):
            counts = [
                int(client.query("parted", filter=one, partition_names=[name], **STRONG)[0]["count(*)"])
                for one in ('loadgen != "inserted"', 'loadgen == "inserted"')
            ]
            assert counts[0] == expected[number], name
            inserted += counts[1]
        assert inserted == int(client.query("parted", filter='loadgen == "inserted"', **STRONG)[0]["count(*)"]) > 0
        assert int(client.query("parted", filter=EVERY, partition_names=["_default"], **STRONG)[0]["count(*)"]) == 0
        rows = client.query("parted", filter='loadgen == "inserted"', output_fields=["text"], limit=20)
        assert {len(row["text"]) for row in rows} == {300}
    searches = [one for phase in record.phases for one in phase.operations if one.operation == "search"]
    assert all(set(one.outcomes) == {Outcome.OK} for one in searches)


def test_partitions_and_a_partition_key_are_compared_in_one_run(uri: str, tmp_path: Path) -> None:
    text = 'parts: async partitions=20; key: async partition-key=tenant filter="tenant == {tenant}"'
    flags = ("--metadata", METADATA, "--partition-skew", "zipf:0.5", "--variants", text, "--no-wait-compaction")
    done = run(uri, "tenants", tmp_path, *flags)
    done.assert_good()
    record = record_of(tmp_path)
    assert all(search.recall == 1.0 for phase in record.phases for search in phase.operations)
    one, other = (variant(record, name).selectivity for name in ("parts", "key"))
    assert one is not None
    assert other is not None
    assert one == other, "both divide the rows alike"
    with client_of(uri) as client:
        fields = {field["name"]: field for field in client.describe_collection("tenants_tenant")["fields"]}
        assert fields["tenant"].get("is_partition_key") is True
        for number in range(20):
            name = f"p{number}"
            parted = client.query("tenants_p20", filter=EVERY, partition_names=[name], **STRONG)[0]["count(*)"]
            keyed = client.query("tenants_tenant", filter=f"tenant == {number}", **STRONG)[0]["count(*)"]
            assert parted == keyed, name


def test_a_filter_that_some_queries_cannot_meet_is_reported_as_empty(lite_uri: str, tmp_path: Path) -> None:
    flags = ("--metadata", "tenant:int:3000", "--filter", "tenant == {tenant}", "--variants", "async")
    enough = ("--phase-seconds", "2")  # for some of both kinds, on a machine that is busy too
    done = run(lite_uri, "sparse_tenants", tmp_path, *flags, *enough, "--max-empty", "90%")
    done.assert_good()
    record = record_of(tmp_path)
    (search,) = record.phases[0].operations
    assert search.outcomes[Outcome.EMPTY] > 0
    assert search.outcomes[Outcome.OK] > 0
    assert search.recall == 1.0, "over as many neighbours as there are rows that match"
    result = variant(record, "async").selectivity
    assert result is not None
    assert 0 < result.without_match < QUERIES
    assert f"{result.without_match} of {QUERIES} queries of async match no row" in done.out


def test_a_filter_that_no_row_meets_is_refused(lite_uri: str, tmp_path: Path) -> None:
    done = run(lite_uri, "refused", tmp_path, "--metadata", METADATA, "--filter", "year > 2030")
    assert done.code == 2
    assert "--filter year > 2030: matches no row, for any query" in done.out + done.err
    with client_of(lite_uri) as client:
        assert not client.has_collection("refused")


def test_a_collection_with_other_metadata_or_partitions_is_refused(lite_uri: str, tmp_path: Path) -> None:
    first = run(lite_uri, "kept", tmp_path / "a", "--metadata", "tenant:int:5", "--mode", "async", "-t", "2")
    first.assert_good()
    flags = ("--metadata", "tenant:int:6", "--partitions", "3", "--text-bytes", "50", "--mode", "async", "-t", "2")
    done = run(lite_uri, "kept", tmp_path / "b", *flags)
    assert done.code == 2
    reported = done.out + done.err
    assert "--metadata tenant:int:6: collection 'kept' has tenant:int:5. Use --metadata tenant:int:5" in reported
    assert "--partitions 3: collection 'kept' has none. Omit --partitions" in reported
    assert "--text-bytes 50: collection 'kept' has none" in reported


def test_a_foreign_collection_is_searched_with_filters_and_in_partitions(uri: str, tmp_path: Path) -> None:
    make_foreign(uri)
    text = (
        'plain: async; year: async filter="year >= 2018"; drawn: sync filter="tenant == {tenant}"; '
        "like: pymilvus/async filter=\"body like 'text 1%'\"; part: pymilvus/sync partitions=even,odd"
    )
    flags = ("--existing", "--metadata", "tenant:int:4", "--queries", "30", "--variants", text)
    done = run_locust(tmp_path, "--host", uri, "--collection", "of_others", *BRIEF, *flags)
    done.assert_good()
    record = record_of(tmp_path)
    shares = {
        name: one.mean for name in ("year", "drawn", "like", "part") if (one := variant(record, name).selectivity)
    }
    assert shares == pytest.approx({"year": 0.1, "drawn": 0.25, "like": 111 / 600, "part": 0.5})
    assert all(set(search.outcomes) == {Outcome.OK} for phase in record.phases for search in phase.operations)
    assert all(search.recall is None for phase in record.phases for search in phase.operations)


def make_foreign(uri: str) -> None:
    from pymilvus import DataType

    with client_of(uri) as client:
        if client.has_collection("of_others"):
            return
        schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("pk", DataType.INT64, is_primary=True)
        schema.add_field("vec", DataType.FLOAT_VECTOR, dim=DIM)
        schema.add_field("body", DataType.VARCHAR, max_length=200)
        schema.add_field("year", DataType.INT64)
        schema.add_field("tenant", DataType.INT64)
        parameters = client.prepare_index_params()
        parameters.add_index("vec", index_type="FLAT", metric_type="L2")
        client.create_collection("of_others", schema=schema, index_params=parameters)
        generator = np.random.default_rng(1)
        for name, numbers in (("even", range(0, 600, 2)), ("odd", range(1, 600, 2))):
            client.create_partition("of_others", name)
            rows = [
                {
                    "pk": number,
                    "vec": generator.standard_normal(DIM).astype(np.float32).tolist(),
                    "body": f"text {number}",
                    "year": 2000 + number % 20,
                    "tenant": number // 150,
                }
                for number in numbers
            ]
            client.insert("of_others", rows, partition_name=name)
        client.flush("of_others")
        client.load_collection("of_others")


@pytest.mark.parametrize(
    ("flags", "reported"),
    [
        (("--filter", "yaer > 3"), "has the field yaer, which collection 'of_others' lacks. Did you mean year?"),
        (("--filter", "year =="), "--filter year ==: is refused by the server"),
        (("--filter", "year > 3000"), "--filter year > 3000: matches no row, for any query"),
        (
            ("--filter", "tenant == {tennant}"),
            "draws {tennant}, which collection 'of_others' lacks. Did you mean {tenant}?",
        ),
        (("--filter", "tenant == {vec}"), "draws {vec}, a field of type FLOAT_VECTOR in collection 'of_others'"),
        (("--partitions", "even,third"), "third: is missing in collection 'of_others'. It has _default, even and odd."),
        (("--partition-key", "tenant"), "--partition-key tenant: is decided when a collection is made"),
        (("--text-bytes", "9"), "--text-bytes 9: describes rows to load, and --existing loads none"),
    ],
)
def test_what_a_foreign_collection_lacks_is_refused(
    lite_uri: str, tmp_path: Path, flags: tuple[str, ...], reported: str
) -> None:
    make_foreign(lite_uri)
    done = run_locust(tmp_path, "--host", lite_uri, "--collection", "of_others", "--existing", *BRIEF, *flags)
    assert done.code == 2, done.err
    assert reported in done.out + done.err
