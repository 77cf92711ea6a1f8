"""What one, ten and a hundred workers need."""

import re
from pathlib import Path

import pytest

from loadgen.locust_plugin.command_line.arguments import read_settings
from loadgen.settings.model import Settings
from tests.charts.chart_support import (
    CHART,
    config_of,
    container_of,
    matches,
    one,
    pod_of,
    release_of,
    render,
    texts_of,
    values_of,
)
from tests.charts.test_config import parse

SIZES = (("small", 1), ("medium", 10), ("large", 100))
README = (CHART / "README.md").read_text()


def settings_of(feature: str, folder: Path) -> Settings:
    """What the program reads of the rendered config file."""
    options = parse(config_of(release_of(feature)), folder)
    return read_settings(options, options.host)


def notes_of(feature: str) -> str:
    return next(text for name, text in texts_of(values_of(feature)).items() if name.endswith("NOTES.txt"))


@pytest.mark.parametrize(("feature", "number"), [*SIZES, ("job", 2)])
def test_the_master_waits_for_as_many_workers_as_there_are(feature: str, number: int) -> None:
    documents = release_of(feature)
    args = container_of(documents, "master")["args"]
    assert one(documents, "Job", "-worker")["spec"]["parallelism"] == number
    assert args[args.index("--expect-workers") + 1] == str(number)
    assert args[args.index("--expect-workers-max-wait") + 1] == "900"
    assert "--headless" in args
    assert one(documents, "PodDisruptionBudget", "-worker")["spec"]["minAvailable"] == number


@pytest.mark.parametrize(("feature", "number"), SIZES)
def test_workers_are_spread_over_nodes_and_run_also_where_there_are_too_few(feature: str, number: int) -> None:
    documents = release_of(feature)
    [spread] = pod_of(documents, "worker")["spec"]["topologySpreadConstraints"]
    assert (spread["maxSkew"], spread["topologyKey"]) == (1, "kubernetes.io/hostname")
    assert spread["whenUnsatisfiable"] == "ScheduleAnyway", f"{number} workers need not have {number} nodes"
    assert matches(spread["labelSelector"]["matchLabels"], pod_of(documents, "worker")["metadata"]["labels"])
    assert "topologySpreadConstraints" not in pod_of(documents, "master")["spec"]


def test_workers_that_are_not_to_be_spread_are_not() -> None:
    documents = render({"workers": {"replicas": 10, "spread": False}})
    assert "topologySpreadConstraints" not in pod_of(documents, "worker")["spec"]


@pytest.mark.parametrize(("feature", "connections"), [("small", 1), ("medium", 2), ("large", 4)])
def test_every_worker_opens_its_own_connections_and_the_notes_tell_how_many_that_are(
    feature: str, connections: int, tmp_path: Path
) -> None:
    number = dict(SIZES)[feature]
    assert settings_of(feature, tmp_path).connections == connections
    [reported] = re.findall(r"opens (\d+) gRPC connections? ", notes_of(feature))
    assert int(reported) == number * connections


@pytest.mark.parametrize(("feature", "number"), SIZES)
def test_every_phase_has_users_for_each_worker(feature: str, number: int, tmp_path: Path) -> None:
    assert min(settings_of(feature, tmp_path).concurrency) >= number


@pytest.mark.parametrize(("feature", "number"), SIZES)
def test_what_a_connection_means_for_the_service_of_milvus_is_told(feature: str, number: int) -> None:
    """Neither kind of Service moves a connection that is made: the chart renders none for Milvus, it says so."""
    milvus = [each for each in release_of(feature) if each["kind"] == "Service" and "19530" in str(each["spec"])]
    assert milvus == []
    notes = " ".join(notes_of(feature).split())
    assert "pinned to one proxy" in notes
    assert "headless Service spreads them no better" in notes
    assert re.search(rf"^\| {number} \|", README, re.MULTILINE)
    for word in ("**ClusterIP**", "**headless**"):
        assert word in README
