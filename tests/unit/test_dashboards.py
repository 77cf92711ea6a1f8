"""The dashboards are code: the committed JSON is what it makes, and every panel can be read by a person."""

import json
import re
from typing import Any

import pytest

from dashboards.rendering import FOLDER, render
from loadgen.clients.rag.pipeline import STAGES as OF_INGEST
from loadgen.clients.rag.stages import OF_ASK

RENDERED = render()
DASHBOARDS = {name: json.loads(text) for name, text in RENDERED.items()}
UNITS = {"s", "ops", "percentunit", "none", "short", "bytes", "binBps"}


def panels(name: str) -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARDS[name]["panels"] if panel["type"] != "row"]


def test_the_committed_files_are_what_the_code_makes() -> None:
    committed = {path.name: path.read_text() for path in FOLDER.iterdir()}
    assert committed == RENDERED, "run `make dashboards`"


def test_making_them_twice_gives_the_same() -> None:
    assert render() == RENDERED


@pytest.mark.parametrize("name", RENDERED)
def test_every_panel_has_a_unit_a_legend_and_a_text_that_tells_how_to_read_it(name: str) -> None:
    for panel in panels(name):
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert len(panel["description"]) > 20, panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            assert target["legendFormat"]
            assert target["datasource"]["uid"] == panel["datasource"]["uid"] == "${datasource}"
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


@pytest.mark.parametrize("name", RENDERED)
def test_a_query_uses_only_variables_that_its_dashboard_has_and_each_of_them_is_used(name: str) -> None:
    dashboard = DASHBOARDS[name]
    queries = [target["expr"] for panel in panels(name) for target in panel["targets"]]
    queries += [one["target"]["expr"] for one in dashboard["annotations"]["list"]]
    queries += [variable["query"] for variable in dashboard["templating"]["list"]]
    used = {word for query in queries for word in re.findall(r"\$\{?(\w+)", query)}
    assert used - {"__range", "__interval", "__rate_interval"} == {
        variable["name"] for variable in dashboard["templating"]["list"]
    } - {"datasource"}


@pytest.mark.parametrize("name", RENDERED)
def test_panels_do_not_overlap_and_have_numbers_of_their_own(name: str) -> None:
    everything = DASHBOARDS[name]["panels"]
    places = [panel["gridPos"] for panel in everything]
    cells = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in everything}) == len(everything)


def test_the_dashboards_have_addresses_of_their_own_and_link_to_each_other() -> None:
    assert {one["uid"] for one in DASHBOARDS.values()} == {
        "loadgen-variants", "loadgen-generator", "loadgen-milvus", "loadgen-rag",
    }  # fmt: skip
    for one in DASHBOARDS.values():
        (link,) = one["links"]
        assert set(link["tags"]) <= set(one["tags"])


def test_no_query_of_a_dashboard_knows_which_variants_or_modes_there_are() -> None:
    for name, text in RENDERED.items():
        assert "sync" not in re.sub(r'"description": ".*"', "", text), name


def test_names_of_variants_are_put_into_queries_with_their_own_escaping() -> None:
    """Grafana's own for Prometheus leaves quotes alone: `async search-params="ef=64"` would end the string."""
    for name in RENDERED:
        for panel in panels(name):
            for target in panel["targets"]:
                used = re.findall(r"variant(!?=~?`?)(\$\{\w+:\w+\})", target["expr"])
                assert set(used) <= {
                    ("=~`", "${variant:regex}"),
                    ("=", "${baseline:doublequote}"),
                    ("!=", "${baseline:doublequote}"),
                }
                assert len(used) == len(re.findall(r"variant!?=|\$variant|\$baseline", target["expr"]))


def test_heat_maps_are_repeated_for_each_variant() -> None:
    (heat,) = (panel for panel in panels("variants.json") if panel["type"] == "heatmap")
    assert (heat["repeat"], heat["repeatDirection"], heat["maxPerRow"]) == ("variant", "h", 2)
    assert heat["title"] == "Response times, $variant"


def test_the_first_baseline_that_is_offered_is_that_of_the_run() -> None:
    """Grafana writes each series of `query_result` as a line, takes the group of the regex, and chooses the first."""
    variables = {one["name"]: one for one in DASHBOARDS["variants.json"]["templating"]["list"]}
    baseline = variables["baseline"]
    assert (baseline["sort"], baseline["includeAll"], baseline["multi"]) == (0, False, False)
    assert "current" not in baseline
    (result,) = re.findall(baseline["regex"].strip("/"), '{variant="async search-params="ef=64""} 2 1764191234000')
    assert result == 'async search-params="ef=64"'
    assert variables["variant"]["multi"]
    assert variables["variant"]["includeAll"]


def test_stages_are_stacked_for_each_variant_without_those_that_are_parts_of_others() -> None:
    stacked = {
        panel["title"]: panel
        for panel in panels("rag.json")
        if panel["fieldConfig"]["defaults"].get("custom", {}).get("stacking", {}).get("mode") == "normal"
    }
    assert set(stacked) == {"Stages of an answer, $variant", "Stages of an ingest, $variant"}
    for title, operation, stages in (
        ("Stages of an answer, $variant", "ask", OF_ASK),
        ("Stages of an ingest, $variant", "ingest", OF_INGEST),
    ):
        panel = stacked[title]
        assert (panel["repeat"], panel["repeatDirection"], panel["maxPerRow"]) == ("variant", "h", 2)
        (target,) = panel["targets"]
        assert f'operation="{operation}", stage=~"{"|".join(stages)}"' in target["expr"]
        assert target["legendFormat"] == "{{stage}}"


def test_a_repeated_panel_is_the_last_of_its_row() -> None:
    """Grafana places its copies beside and below it."""
    for dashboard in DASHBOARDS.values():
        everything = dashboard["panels"]
        for place, panel in enumerate(everything[:-1]):
            assert "repeat" not in panel or everything[place + 1]["type"] == "row", panel["title"]
