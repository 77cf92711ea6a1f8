"""What Helm makes of the chart is what Kubernetes accepts, whatever is asked for."""

import itertools
import re

import pytest
from helm_python.chart import lint
from helm_python.errors import HelmError

from tests.charts.chart_support import (
    CHART,
    FEATURES,
    KUBERNETES,
    OPERATOR,
    URI,
    Document,
    container_of,
    faults_of,
    release_of,
    render,
    texts_of,
    values_of,
)

LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
LONG = "the-nightly-load-of-the-search-team-in-production-eu1"


def labels_in(result: object) -> list[Document]:
    """All sets of labels and selectors, at any depth."""
    if isinstance(result, list):
        return [labels for each in result for labels in labels_in(each)]
    if not isinstance(result, dict):
        return []
    own = [value for key, value in result.items() if key in ("labels", "matchLabels") and isinstance(value, dict)]
    return own + [labels for value in result.values() for labels in labels_in(value)]


def names_of(documents: list[Document]) -> set[tuple[str, str]]:
    return {(each["kind"], each["metadata"]["name"]) for each in documents}


@pytest.mark.parametrize("version", KUBERNETES)
def test_every_object_of_every_feature_is_valid_in_every_version_of_kubernetes(version: str) -> None:
    documents = [(feature, each) for feature in FEATURES for each in release_of(feature)]
    known = [(feature, each) for feature, each in documents if each["apiVersion"] != OPERATOR]
    assert len(known) > 6 * len(FEATURES)
    faults = {(feature, each["kind"]): reported for feature, each in known if (reported := faults_of(each, version))}
    assert faults == {}


def test_the_schemas_of_kubernetes_find_a_misspelt_field() -> None:
    job = next(each for each in render({}) if each["kind"] == "Job")
    job["spec"]["template"]["spec"]["restartpolicy"] = "Never"
    assert len(faults_of(job, KUBERNETES[0])) == 1


def test_the_versions_of_kubernetes_begin_with_what_the_chart_asks_for() -> None:
    assert KUBERNETES[0].startswith("1.28")
    assert 'kubeVersion: ">=1.28.0-0"' in (CHART / "Chart.yaml").read_text()


@pytest.mark.parametrize("feature", FEATURES)
def test_helm_lint_is_clean(feature: str) -> None:
    report = lint(CHART, values_of(feature), strict=True)
    assert report["errors"] == []
    assert [reported for reported in report["messages"] if reported["severity"] > 1] == []


def test_helm_lint_is_clean_without_values() -> None:
    report = lint(CHART, {})
    assert report["errors"] == []
    assert report["total_charts_linted"] == 1


@pytest.mark.parametrize(
    ("values", "reported"),
    [
        ({"modus": "job"}, "modus"),
        ({"mode": "cron"}, "mode"),
        ({"workers": {"replica": 3}}, "replica"),
        ({"workers": {"replicas": "three"}}, "replicas"),
        ({"workers": {"pod": {"nodeselector": {}}}}, "nodeselector"),
        ({"loadgen": {"topk": 3}}, "topk"),
        ({"loadgen": {"top_k": 3}}, "top_k"),
        ({"loadgen": {"top-k": "many"}}, "top-k"),
        ({"loadgen": {"top-k": 0}}, "top-k"),
        ({"loadgen": {"token": "root:Milvus"}}, "token"),
        ({"loadgen": {"host": URI}}, "host"),
        ({"loadgen": {"metric": "HAMMING"}}, "metric"),
        ({"loadgen": {"max-failures": -1}}, "max-failures"),
        ({"loadgen": {"max-failures": True}}, "max-failures"),
        ({"milvus": {"uri": "my-milvus"}}, "uri"),
        ({"run": {"name": "Nightly_7"}}, "name"),
        ({"record": {"volume": "hostPath"}}, "volume"),
        ({"monitoring": {"podMonitor": {"interval": 5}}}, "interval"),
        ({"web": {"ingress": {"hosts": [{"hostname": "a"}]}}}, "host"),
    ],
)
def test_a_misspelt_key_or_a_wrong_value_is_refused_by_its_name(values: Document, reported: str) -> None:
    with pytest.raises(HelmError, match=re.escape(reported)):
        render(values)


def test_without_an_address_it_says_what_to_give() -> None:
    with pytest.raises(HelmError, match=r"milvus\.uri: give the address of Milvus"):
        render({"milvus": {"uri": ""}})


def test_files_that_no_pod_would_find_are_told_before_it_starts() -> None:
    with pytest.raises(HelmError, match=r"locustfile\.name: search\.py is not in locustfile\.inline: mine\.py"):
        render({"locustfile": {"inline": {"mine.py": "pass"}}})
    with pytest.raises(HelmError, match=r"milvus\.tls\.existingSecret: name the Secret that has ca\.pem"):
        render({"milvus": {"uri": URI, "tls": {"caFile": "ca.pem"}}})
    for alone in ("clientCertFile", "clientKeyFile"):
        with pytest.raises(HelmError, match=r"milvus\.tls: mutual TLS needs clientCertFile and clientKeyFile"):
            render({"milvus": {"uri": URI, "tls": {"existingSecret": "s", "caFile": "ca.pem", alone: "tls.pem"}}})


@pytest.mark.parametrize(
    "name", ["LOADGEN_RECORD", "LOADGEN_METRICS_PORT", "LOADGEN_FRESH", "LOADGEN_TOP_K", "LOADGEN_TOKEN"]
)
def test_a_variable_that_would_override_what_the_chart_sets_is_refused(name: str) -> None:
    values = {"milvus": {"uri": URI, "token": {"value": "root:Milvus"}}, "loadgen": {"top-k": 5}}
    with pytest.raises(HelmError, match=rf"pod\.extraEnv: {name} would override"):
        render(values | {"pod": {"extraEnv": [{"name": name, "value": "1"}]}})


def test_variables_that_are_settings_do_not_reach_the_pod_of_helm_test() -> None:
    extra = [{"name": "LOADGEN_COLLECTION", "value": "prod"}, {"name": "GRPC_VERBOSITY", "value": "debug"}]
    documents = render({"milvus": {"uri": URI}, "pod": {"extraEnv": extra}})
    test = next(each for each in documents if each["kind"] == "Pod")["spec"]
    named = {each["name"] for part in test["initContainers"] + test["containers"] for each in part.get("env", [])}
    assert named == {"GRPC_VERBOSITY"}
    assert {each["name"] for each in container_of(documents, "master")["env"]} == {
        "LOADGEN_COLLECTION",
        "GRPC_VERBOSITY",
    }


@pytest.mark.parametrize("port", [5557, 8089])
def test_a_port_of_locusts_own_is_none_for_the_metrics(port: int) -> None:
    with pytest.raises(HelmError, match=rf"metrics\.port: {port} is used by Locust itself"):
        render({"milvus": {"uri": URI}, "metrics": {"port": port}})


def test_every_key_of_the_values_has_its_comment() -> None:
    lines = (CHART / "values.yaml").read_text().splitlines()
    keys = [(above, line) for above, line in itertools.pairwise(lines) if re.match(r" *[A-Za-z]\w*:( |$)", line)]
    assert len(keys) > 100
    bare = [line.strip() for above, line in keys if "#" not in line and not above.strip().startswith("#")]
    assert [line for line in bare if not line.startswith(("requests: ", "limits: "))] == []


@pytest.mark.parametrize("feature", FEATURES)
def test_names_and_labels_stay_within_their_limits_for_the_longest_release_and_run(feature: str) -> None:
    values = values_of(feature)
    values["run"] = values.get("run", {}) | {"name": "sixteen-letters1"}
    documents = render(values, name=LONG)
    assert [name for _, name in names_of(documents) if not NAME.fullmatch(name)] == []
    for labels in labels_in(documents):
        assert [value for value in labels.values() if not LABEL.fullmatch(value)] == []


def test_a_dot_in_a_releases_name_is_in_no_name_that_may_not_have_one() -> None:
    documents = render(values_of("interactive"), name="load.v2")
    assert ("Service", "load-v2-milvus-loadgen-master") in names_of(documents)
    assert [name for _, name in names_of(documents) if not NAME.fullmatch(name)] == []


def test_releases_whose_long_names_differ_at_the_end_only_do_not_collide() -> None:
    first, second = (names_of(render({}, name=LONG[:-1] + end)) for end in "12")
    assert first & second == set()


@pytest.mark.parametrize("feature", ["job", "interactive", "monitoring", "claim", "token", "locustfile"])
def test_two_releases_in_one_namespace_share_no_object_and_no_pod(feature: str) -> None:
    first, second = (render(values_of(feature), name=name) for name in ("one", "two"))
    assert names_of(first) & names_of(second) == set()
    for each in first:
        selector = each["spec"].get("selector") if each["kind"] in ("Service", "Deployment", "PodMonitor") else None
        if selector:
            chosen = selector.get("matchLabels", selector)
            assert chosen["app.kubernetes.io/instance"] == "one"


def test_a_run_with_a_name_of_its_own_keeps_it_over_upgrades() -> None:
    first, second = (render({"run": {"name": "nightly"}}, revision=revision) for revision in (1, 2))
    assert names_of(first) == names_of(second)
    assert ("Job", "demo-milvus-loadgen-nightly-master") in names_of(first)


def test_the_notes_name_objects_that_are_there() -> None:
    for feature in ("job", "interactive"):
        notes = next(text for name, text in texts_of(values_of(feature)).items() if name.endswith("NOTES.txt"))
        named = set(re.findall(r"\b(job|deployment|service)/(\S+)", notes))
        assert named
        assert {(kind.capitalize(), name) for kind, name in named} <= names_of(release_of(feature))
