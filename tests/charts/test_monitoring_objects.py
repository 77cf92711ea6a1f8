"""What Prometheus and Grafana are given."""

import json

import pytest

from tests.charts.chart_support import (
    CHART,
    OPERATOR,
    ROLES,
    container_of,
    matches,
    one,
    pod_of,
    release_of,
    render,
    run_of,
    values_of,
)
from tests.charts.operator_schemas import faults_of_monitoring


def test_where_the_cluster_lacks_the_operator_nothing_of_it_is_rendered() -> None:
    documents = release_of("job")
    assert [each for each in documents if each["apiVersion"] == OPERATOR] == []
    boards = [each for each in documents if "grafana_dashboard" in each["metadata"]["labels"]]
    assert len(boards) == len(list((CHART / "dashboards").glob("*.json"))), "Grafana's sidecar is not part of it"
    without = render({"monitoring": {"dashboards": {"enabled": False}}})
    assert [each for each in without if "grafana_dashboard" in each["metadata"]["labels"]] == []


def test_every_pod_is_scraped_and_its_series_carry_the_run() -> None:
    documents = release_of("monitoring")
    monitor = one(documents, "PodMonitor")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    assert (endpoint["interval"], endpoint["scrapeTimeout"], endpoint["path"]) == ("10s", "9s", "/metrics")
    [relabeling] = endpoint["relabelings"]
    assert relabeling == {"sourceLabels": ["__meta_kubernetes_pod_label_milvus_loadgen_run"], "targetLabel": "run"}
    for role in ROLES:
        labels = pod_of(documents, role)["metadata"]["labels"]
        assert matches(monitor["spec"]["selector"]["matchLabels"], labels)
        assert labels["milvus-loadgen/run"] == run_of(documents)
        assert monitor["spec"]["jobLabel"] in labels
        assert endpoint["port"] in {port["name"] for port in container_of(documents, role)["ports"]}
    [expression] = monitor["spec"]["selector"]["matchExpressions"]
    assert expression == {"key": "app.kubernetes.io/component", "operator": "In", "values": list(ROLES)}


@pytest.mark.parametrize("feature", ["monitoring", "interactive"])
def test_the_operator_accepts_its_objects(feature: str) -> None:
    documents = render(values_of(feature) | {"monitoring": {"force": True}})
    for kind in ("PodMonitor", "PrometheusRule"):
        assert faults_of_monitoring(one(documents, kind)) == []
    monitor = one(documents, "PodMonitor")
    monitor["spec"]["podMetricsEndpoints"][0]["scrapeInterval"] = "5s"
    assert len(faults_of_monitoring(monitor)) == 1


def test_rules_and_dashboards_are_the_files_of_the_chart() -> None:
    documents = release_of("monitoring")
    rules = sorted((CHART / "rules").glob("*.yaml"))
    groups = [group["name"] for group in one(documents, "PrometheusRule")["spec"]["groups"]] if rules else []
    written = [name for path in rules for name in _names_of_groups(path.read_text())]
    assert groups == written
    boards = [each for each in documents if "grafana_dashboard" in each["metadata"]["labels"]]
    files = {path.name: json.loads(path.read_text()) for path in (CHART / "dashboards").glob("*.json")}
    rendered = {name: json.loads(text) for each in boards for name, text in each["data"].items()}
    assert rendered == files
    assert all(each["metadata"]["annotations"] == {"grafana_folder": "Milvus load"} for each in boards)


def _names_of_groups(text: str) -> list[str]:
    return [line.partition("name: ")[2] for line in text.splitlines() if line.startswith("  - name: ")]
