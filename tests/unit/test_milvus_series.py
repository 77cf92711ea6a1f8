"""What dashboard and `--server-metrics` read of Milvus is in its source: names and labels, by version."""

import re

import pytest

from loadgen.milvus.server_metrics import COUNTS, KINDS, TIMES
from tests.corpus.milvus_series import EMBEDDED, is_known, labels_of, milvus_series
from tests.integration.monitoring_support import GROUPING, MATCHER, SELECTOR, panel_queries, variable_queries

OF_A_SCRAPE = {"namespace", "job", "pod", "instance", "le"}


def family(name: str) -> str:
    return re.sub(r"(?<=latency)_(bucket|sum|count)$", "", name)


def test_each_series_of_a_panel_is_listed_and_has_the_labels_it_names_in_every_version_that_has_it() -> None:
    seen = set()
    for place, query in panel_queries():
        grouped = {label for group in GROUPING.findall(query) for label in group.split(", ") if label}
        for name, matchers in SELECTOR.findall(query):
            if name.startswith("milvus_"):
                seen.add(family(name))
                for version, labels in milvus_series()[family(name)].items():
                    unknown = {*MATCHER.findall(matchers), *grouped} - OF_A_SCRAPE - set(labels)
                    assert not unknown, (place, version)
    of_variables = {selector.partition("{")[0] for _, selector, _ in variable_queries()}
    assert set(milvus_series()) == seen | {name for name in of_variables if name.startswith("milvus_")}


@pytest.mark.parametrize("name", [*TIMES, *COUNTS])
def test_each_series_of_the_servers_own_view_is_listed_with_the_label_of_its_kind(name: str) -> None:
    versions = milvus_series()[name]
    assert "2.5" in versions
    for labels in versions.values():
        assert len(set(KINDS) & set(labels)) == 1
    if name in COUNTS:
        assert all("status" in labels for labels in versions.values())


def test_a_series_that_came_later_has_stayed() -> None:
    order = ("2.3.5", "2.4", "2.5", "later")
    for name in (one for one in milvus_series() if one.startswith("milvus_proxy_")):
        known = [is_known(name, version) for version in order]
        assert known == sorted(known), name
        assert known[-1]
    assert labels_of("milvus_proxy_slow_query_count", EMBEDDED) == ()


def test_a_panel_of_series_that_the_embedded_version_lacks_names_the_version_it_needs() -> None:
    from tests.unit.test_dashboards import panels

    for panel in panels("milvus.json"):
        named = {family(name) for one in panel["targets"] for name, _ in SELECTOR.findall(one["expr"])}
        lacking = [name for name in named & set(milvus_series()) if not is_known(name, EMBEDDED)]
        if lacking:
            first = min(min(milvus_series()[name]) for name in lacking)
            assert f"needs Milvus {first}" in panel["description"], panel["title"]
