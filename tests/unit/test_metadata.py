"""Metadata fields: their grammar, and values that every process makes alike."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.datasets import Metadata, Partitioning, open_dataset
from loadgen.datasets.texts import Texts
from loadgen.settings.metadata import MetadataField, find_metadata_faults, parse_metadata
from loadgen.settings.model import Settings

TEXT = "tenant:int:100; lang:enum:de,en; year:int:2000-2026; price:float:-1.5-99.9"
SMALL = {"rows": 3_000, "dim": 4, "clusters": 4, "queries": 50}


def settings_with(**given: object) -> Settings:
    return Settings.parse(SMALL | given)


def test_fields_are_read() -> None:
    assert parse_metadata(TEXT) == (
        MetadataField("tenant", "int", 0, 99),
        MetadataField("lang", "enum", values=("de", "en")),
        MetadataField("year", "int", 2000, 2026),
        MetadataField("price", "float", -1.5, 99.9),
    )
    assert [one.count for one in parse_metadata(TEXT)] == [100, 2, 27, 0]
    assert parse_metadata("") == ()


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("tenant", "has no type"),
        ("tenant:int", "has no values"),
        ("tenant:uuid:3", "has no type: 'uuid'"),
        ("tenant:int:0", "has no number of values from 1 on that fits"),
        ("tenant:int:99999999999999999999", "has no number of values from 1 on that fits"),
        ("tenant:int:5-3", "has an empty range: '5-3'"),
        ("tenant:int:1.5-3", "has no range of ints: '1.5-3'"),
        ("price:float:1-1", "has an empty range: '1-1'"),
        ("price:float:1-1e300", "has numbers above 2**53: '1-1e300'"),
        ("price:float:1.2.3-4", "has no range of floats: '1.2.3-4'"),
        ("lang:enum:de,,en", "has a value that cannot be used: ''"),
        ("lang:enum:it's", "has a value that cannot be used: 'it's'"),
        ("lang:enum:de,de", "has a value twice"),
        (f"n:enum:{','.join(map(str, range(1_001)))}", "has 1,001 values"),
        ("text:int:3", "has the name of a field that every row has: 'text'"),
        ("_node_content:int:3", "has no usable name: '_node_content'"),
        ("And:int:3", "has a word of filter expressions as its name: 'And'"),
        ("a b:int:3", "has no usable name: 'a b'"),
        ("x:int:3; x:int:4", "names a field twice"),
        (";;", "names no field"),
        (";".join(f"f{number}:int:3" for number in range(33)), "has 33 fields"),
    ],
)
def test_a_wrong_field_is_refused(text: str, reported: str) -> None:
    faults = find_metadata_faults(text)
    assert [fault.problem for fault in faults] == [reported]
    assert all(fault.hint.endswith(".") and fault.setting == "metadata" for fault in faults)


def test_all_wrong_fields_are_told_together() -> None:
    assert [fault.value for fault in find_metadata_faults("id:int:3; ok:int:3; b:x:1")] == ["id:int:3", "b:x:1"]


@given(st.integers(0, 2_900), st.integers(0, 99), st.integers(0, 2**40))
def test_any_part_is_the_same_wherever_it_begins(start: int, length: int, seed: int) -> None:
    metadata = Metadata(parse_metadata(TEXT), seed)
    whole, part = metadata.columns(0, 3_000), metadata.columns(start, start + length)
    for name, column in part.items():
        assert column.tolist() == whole[name][start : start + length].tolist()
    assert metadata.places(start, start + length).tolist() == metadata.places(0, 3_000)[start : start + length].tolist()


def test_values_are_within_their_ranges_and_all_occur() -> None:
    columns = Metadata(parse_metadata(TEXT), 3).columns(0, 20_000)
    assert set(columns["tenant"].tolist()) == set(range(100))
    assert set(columns["lang"].tolist()) == {"de", "en"}
    assert set(columns["year"].tolist()) == set(range(2000, 2027))
    assert -1.5 <= columns["price"].min() < 0
    assert 99 < columns["price"].max() <= 99.9
    assert max(Counter(columns["tenant"].tolist()).values()) < 300, "200 on average"


def test_a_field_does_not_change_with_the_others() -> None:
    alone = Metadata(parse_metadata("year:int:2000-2026"), 1).columns(0, 500)["year"]
    assert (Metadata(parse_metadata(TEXT), 1).columns(0, 500)["year"] == alone).all()


def test_a_partition_key_divides_the_rows_as_partitions_do() -> None:
    """With the same number of values and the same skew, partition p3 has the rows of tenant 3."""
    given: dict[str, object] = {"metadata": "tenant:int:64", "partition_skew": "zipf:1.1"}
    settings = settings_with(**given, variants="one: async partitions=64; two: async partition-key=tenant")
    dataset = open_dataset(settings)
    tenants = dataset.metadata.columns(0, 3_000)["tenant"]
    parts = Partitioning.of(settings_with(**given, partitions="64"))
    assert (parts.numbers(dataset.metadata.places(0, 3_000)) == tenants).all()
    drawn = dataset.metadata.draw_values(50)["tenant"]
    assert (parts.numbers(dataset.metadata.draw_places(50)) == drawn).all()
    shares = np.bincount(tenants, minlength=64) / 3_000
    weights = np.arange(1, 65) ** -1.1
    assert shares[:4] == pytest.approx((weights / weights.sum())[:4], abs=0.03)
    rows = dataset.rows(10, 12)
    assert [row.metadata["tenant"] for row in rows] == tenants[10:12].tolist()
    assert [parts.name(row.place) for row in rows] == [f"p{tenant}" for tenant in tenants[10:12]]


def test_inserted_rows_have_metadata_and_sized_texts_of_their_own() -> None:
    dataset = open_dataset(settings_with(metadata=TEXT, text_bytes=1_200))
    stream = dataset.fresh_rows(0)
    rows = [next(stream) for _ in range(40)]
    assert {len(row.text.encode()) for row in [*rows, *dataset.rows(0, 40)]} == {1_200}
    assert len({row.text for row in rows}) == 40
    assert all({"tenant", "lang", "year", "price", "row", "cluster", "loadgen"} == set(row.metadata) for row in rows)
    assert len({row.metadata["tenant"] for row in rows}) > 20
    assert [type(value) for value in rows[0].metadata.values()][3:] == [int, str, int, float]
    other = dataset.fresh_rows(1)
    assert [next(other).metadata["tenant"] for _ in range(40)] != [row.metadata["tenant"] for row in rows]


@pytest.mark.parametrize("size", [1, 2, 9, 1_200, 65_535])
def test_a_text_has_its_size(size: int) -> None:
    texts = Texts(size, 1)
    assert [len(texts(number).encode()) for number in (0, 7, 10**15)] == [size] * 3
    assert texts(7) == Texts(size, 1)(7)


def test_a_text_without_a_size_is_that_of_the_tutorial() -> None:
    assert Texts(0, 1)(7) == "n7_text"


def test_the_fingerprint_differs_with_what_rows_contain_and_only_then() -> None:
    plain = open_dataset(settings_with()).fingerprint
    assert open_dataset(settings_with(partitions="4")).fingerprint == plain, "the same rows, elsewhere"
    others: list[dict[str, object]] = [
        {"text_bytes": 10},
        {"metadata": "tenant:int:9"},
        {"metadata": "tenant:int:10"},
        {"metadata": "tenant:int:9", "partition_key": "tenant", "partition_skew": "zipf:1"},
    ]
    result = [open_dataset(settings_with(**one)).fingerprint for one in others]
    assert len({plain, *result}) == 5
