"""Filters of an existing collection draw values of its rows; what cannot be drawn or is not accepted is a fault."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from pymilvus import DataType

from loadgen.datasets import Metadata, Narrowing, Narrowings, OnServer, SampledValues
from loadgen.locust_plugin.preparation import selectivities
from loadgen.locust_plugin.preparation.selectivities import measure_existing
from loadgen.locust_plugin.preparation.variant_setup import set_up_variants
from loadgen.milvus.store import drawing, matches, narrow_query, to_query
from loadgen.milvus.store.drawing import find_undrawable, find_undrawn
from loadgen.milvus.store.matches import find_lacking
from loadgen.settings.faults import SettingsError
from loadgen.settings.filter_grammar import FieldComparison, parse_filter, write_filter
from loadgen.settings.model import Settings
from tests.unit.test_existing_fields import TAKEN, info

ROWS = [{"pk": 1, "tenant": 7, "lang": "de"}, {"pk": 2, "lang": "fr"}, {"pk": 3, "tenant": 9, "lang": 'e"n'}]


def settings_with(text: str, **given: Any) -> Settings:
    return Settings.parse(TAKEN | {"filter": text, "queries": 5, **given})


def filters_of(settings: Settings, rows: Sequence[dict[str, Any]], names: Sequence[str]) -> list[str]:
    """The filter of each query, as Milvus gets it."""
    values = SampledValues(Metadata.of(settings), rows, names)
    made = Narrowings(settings, OnServer(100, values)).make()
    return [write_filter(one.expression) for one in made if one.expression is not None]


def test_a_query_takes_the_values_of_its_row_or_of_another_one_that_has_them() -> None:
    result = filters_of(settings_with("tenant == {tenant} and lang == {lang}"), ROWS, ["tenant", "lang"])
    first, second = '(tenant == 7) and (lang == "de")', '(tenant == 9) and (lang == "e\\"n")'
    assert result == [first, second, second, first, first], (
        "row 2 has no tenant: the query takes those of row 3, then 1"
    )


def test_variants_that_draw_different_fields_need_no_row_with_all_of_them() -> None:
    rows: list[dict[str, Any]] = [{"tenant": 7}, {"lang": "fr"}]
    assert set(filters_of(settings_with("tenant == {tenant}"), rows, ["tenant", "lang"])) == {"tenant == 7"}
    assert set(filters_of(settings_with("lang == {lang}"), rows, ["tenant", "lang"])) == {'lang == "fr"'}


def test_described_values_are_drawn_as_ever_and_the_others_from_rows() -> None:
    settings = settings_with("year == {year} and lang == {lang}", metadata="year:int:2000-2026")
    result = filters_of(settings, ROWS, ["lang"])
    years = Metadata.of(settings).draw_values(5)["year"].tolist()
    assert len(set(years)) > 1
    langs = ["de", "fr", 'e\\"n', "de", "fr"]
    assert result == [f'(year == {year}) and (lang == "{lang}")' for year, lang in zip(years, langs, strict=True)]


@pytest.mark.parametrize(("value", "shown"), [(True, "on == True"), (False, "on == False")])
def test_a_truth_value_is_an_expression_since_metadata_filters_have_none(value: bool, shown: str) -> None:
    query = to_query(np.ones(8, dtype=np.float32), settings_with("on == {on}"))
    result = narrow_query(query, Narrowing(FieldComparison("on", "==", value)))
    assert (result.filters, result.arguments) == (None, {"string_expr": shown})


def field(name: str, kind: DataType) -> dict[str, Any]:
    return {"name": name, "type": kind}


SCHEMA = {
    "fields": [
        field("tenant", DataType.INT64), field("lang", DataType.VARCHAR), field("on", DataType.BOOL),
        field("tags", DataType.ARRAY), field("extra", DataType.JSON), field("vec", DataType.FLOAT_VECTOR),
    ]
}  # fmt: skip
SCALAR = "Draw a number, text or truth value, or describe its values with --metadata."


@pytest.mark.parametrize(
    ("text", "is_dynamic", "reported"),
    [
        ("tenant == {tenant} and lang == {lang} and on == {on}", False, []),
        ("tenant == {tags}", False, [f"draws {{tags}}, a field of type ARRAY in collection 'papers'. {SCALAR}"]),
        ("tenant == {extra}", True, [f"draws {{extra}}, a field of type JSON in collection 'papers'. {SCALAR}"]),
        ("tenant == {vec}", True, [f"draws {{vec}}, a field of type FLOAT_VECTOR in collection 'papers'. {SCALAR}"]),
        ("tenant == {tennant}", False, ["draws {tennant}, which collection 'papers' lacks. Did you mean {tenant}?"]),
        (
            "tenant == {xyz}",
            False,
            [
                (
                    "draws {xyz}, which collection 'papers' lacks. "
                    "Draw one of lang, on and tenant, or describe its values with --metadata."
                )
            ],
        ),
        ("tenant == {xyz}", True, []),
    ],
)
def test_a_drawn_field_that_the_schema_lacks_or_that_is_not_scalar_is_a_fault(
    text: str, is_dynamic: bool, reported: list[str]
) -> None:
    faults = find_undrawable(settings_with(text), info(is_dynamic=is_dynamic), SCHEMA)
    assert [str(one) for one in faults] == [f"--filter {text}: {one}" for one in reported]
    described = settings_with("tenant == {xyz}", metadata="xyz:int:3")
    assert [*find_undrawable(described, info(), SCHEMA)] == []


@pytest.mark.parametrize(
    ("names", "reported"),
    [
        ("{a}", None),
        ("{b}", "draws {b}, which is a list in 3 sampled rows of collection 'papers'"),
        ("{tennant}", "which collection 'papers' has in none of its sampled rows. Did you mean {tenant}?"),
        ("{a} and x == {c}", "draws a and c, which are nowhere together in 3 sampled rows"),
    ],
)
def test_a_drawn_field_that_no_sampled_row_has_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, names: str, reported: str | None
) -> None:
    rows = [{"a": 1, "b": [1], "tenant": 5}, {"b": [2], "c": 3}, {"c": float("nan")}]
    monkeypatch.setattr(drawing, "fetch_rows", lambda *_: rows)
    faults = [str(one) for one in find_undrawn(settings_with(f"x == {names}"), info(is_dynamic=True))]
    assert len(faults) == (reported is not None)
    assert reported is None or reported in faults[0]


def test_matches_are_counted_once_for_variants_that_narrow_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        'a: async; b: sync filter="year > 5"; c: pymilvus/async filter="year > 5"; d: sync filter="year > 6"; '
        'e: async collection=others filter="year > 5"; f: async top-k=3 collection=others filter="year > 5"'
    )
    collections = {name: info(name=name, rows=100).as_message() for name in ("papers", "others")}
    counted: list[tuple[str, list[str]]] = []

    def count(_settings: Settings, one: Any, narrowings: Sequence[Narrowing]) -> list[int]:
        texts = [write_filter(each.expression) for each in narrowings if each.expression is not None]
        counted.append((one.name, texts))
        return [10 + len(counted)] * len(narrowings)

    monkeypatch.setattr(selectivities, "count_matches", count)
    existing = measure_existing(set_up_variants(settings_with("", variants=text), collections), lambda _: None)
    assert counted == [("papers", ["year > 5"]), ("papers", ["year > 6"]), ("others", ["year > 5"])]
    assert {name: one.mean for name, one in existing.items()} == pytest.approx(
        {"b": 0.11, "c": 0.11, "d": 0.12, "e": 0.13, "f": 0.13}
    )


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("year = 5", "Compare with ==."),
        ("lang == acme", "Values are numbers, texts in quotes and {names} of metadata fields"),
        ("year == 'x'", "Correct it."),
    ],
)
def test_a_filter_that_the_server_refuses_is_a_fault_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, text: str, hint: str
) -> None:
    monkeypatch.setattr(selectivities, "count_matches", lambda *_: "cannot parse")
    monkeypatch.setattr(selectivities, "try_search", lambda *_: "cannot parse")
    variants = set_up_variants(settings_with(text), {"papers": info().as_message()})
    with pytest.raises(SettingsError) as caught:
        measure_existing(variants, lambda _: None)
    assert f"--filter {text}: is refused by the server (cannot parse). {hint}" in str(caught.value)


class Parted:
    """A server with a collection that has other partitions."""

    def describe_collection(self, _name: str) -> dict[str, Any]:
        return SCHEMA

    def list_partitions(self, _name: str) -> list[str]:
        return ["even", "odd"]

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("given", "reported"),
    [
        (
            "2",
            (
                "--partitions p0 and p1: are missing in collection 'papers'. "
                "Name those to search: a number means p0, p1 and so on. It has even and odd."
            ),
        ),
        ("evn", "--partitions evn: is missing in collection 'papers'. It has even and odd."),
    ],
)
def test_partitions_that_are_missing_are_named_with_those_that_are_there(
    monkeypatch: pytest.MonkeyPatch, given: str, reported: str
) -> None:
    monkeypatch.setattr(matches, "MilvusClient", lambda **_: Parted())
    assert [str(one) for one in find_lacking(settings_with("", partitions=given), info())] == [reported]


def test_a_filter_with_a_drawn_value_is_parsed_before_the_collection_is_known() -> None:
    assert parse_filter(settings_with("tenant == {tenant}").filter) == parse_filter("tenant == {tenant}")
    with pytest.raises(SettingsError, match="needs a value where its end is"):
        settings_with("tenant == {tenant} and lang ==")
