"""The files of k8s/ fit the charts that they are for."""

import re
import shlex
from argparse import ArgumentParser
from pathlib import Path

import pytest
import yaml

from loadgen.cli.follow import add_follow
from loadgen.cli.serve_llm import add_serve_llm
from loadgen.locust_plugin.command_line.arguments import read_settings
from loadgen.settings.model import Settings
from loadgen.settings.rag_settings import KEY_VARIABLES
from release.agreement import find_release
from tests.charts.chart_support import (
    OPERATOR,
    ROLES,
    ROOT,
    URI,
    config_of,
    container_of,
    faults_of,
    one,
    pod_of,
    render,
    run_of,
)
from tests.charts.test_config import parse

K8S = ROOT / "k8s"
RUNS = sorted((K8S / "runs").glob("*.yaml"))
PAGE = (K8S / "README.md").read_text()
KIND = (K8S / "kind" / "e2e.sh").read_text()


def test_there_is_a_small_and_a_large_run_of_each_locustfile() -> None:
    kinds = {path.stem for path in (ROOT / "locustfiles").glob("*.py")}
    assert {path.stem for path in RUNS} >= {f"{kind}-{size}" for kind in kinds for size in ("small", "large")}


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_a_run_is_accepted_by_the_chart_and_the_program(path: Path, tmp_path: Path) -> None:
    documents = render(yaml.safe_load(path.read_text()) | {"milvus": {"uri": URI}})
    assert [fault for each in documents for fault in faults_of(each, "1.28.0")] == []
    options = parse(config_of(documents), tmp_path)
    settings = read_settings(options, options.host)
    args = container_of(documents, "master")["args"]
    assert args[args.index("--locustfile") + 1].endswith(f"/{path.stem.partition('-')[0]}.py")
    workers = int(args[args.index("--expect-workers") + 1])
    if settings.find_rate:  # arrivals have no users: the rate is split over the workers
        return
    assert min(settings.concurrency) >= workers or path.stem.startswith("burst"), "a worker would have no users"


def test_the_simulated_model_of_rag_runs_is_accepted_and_is_at_their_address() -> None:
    workload, service = yaml.safe_load_all((K8S / "llm-server.yaml").read_text())
    assert [fault for each in (workload, service) for fault in faults_of(each, "1.28.0")] == []
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    assert service["spec"]["selector"].items() <= workload["spec"]["template"]["metadata"]["labels"].items()
    address = f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}/v1"
    for size in ("small", "large"):
        values = yaml.safe_load((K8S / "runs" / f"rag_query-{size}.yaml").read_text())
        assert values["loadgen"]["simulated-url"] == address
    assert container["command"] == ["loadgen"]
    parser = ArgumentParser()
    add_serve_llm(parser.add_subparsers())
    given = parser.parse_args(container["args"])
    assert (given.bind, given.port, given.tokens) == ("0.0.0.0", "8000", "20")  # noqa: S104 - in its pod
    assert container["image"] == f"milvus-loadgen:{find_release()}"


def test_every_container_that_reads_documents_has_them_and_the_models_key_comes_from_a_secret(tmp_path: Path) -> None:
    values = yaml.safe_load((K8S / "runs" / "rag_query-documents.yaml").read_text())
    documents = render(values)
    for role in ROLES:
        pod = pod_of(documents, role)["spec"]
        volumes = {each["name"]: each for each in pod["volumes"]}
        assert volumes["documents"]["configMap"] == {"name": "documents"}
        for container in pod["initContainers"] + pod["containers"]:
            mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
            assert mounts["documents"] == values["loadgen"]["documents"] == "/documents", container["name"]
            (key,) = (each for each in container["env"] if each["name"] == KEY_VARIABLES["llm"])
            assert key["valueFrom"] == {"secretKeyRef": {"name": "llm", "key": "key", "optional": True}}
    options = parse(config_of(documents), tmp_path)
    settings = read_settings(options, options.host)
    assert (settings.llm, settings.llm_url) == ("openai:my-model", "http://vllm:8000/v1")


def test_the_monitor_of_the_simulated_model_finds_its_pods_and_port() -> None:
    workload, _ = yaml.safe_load_all((K8S / "llm-server.yaml").read_text())
    monitor = yaml.safe_load((K8S / "monitoring" / "llm-server.yaml").read_text())
    assert (monitor["apiVersion"], monitor["kind"]) == (OPERATOR, "PodMonitor")
    pod = workload["spec"]["template"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    (container,) = pod["spec"]["containers"]
    assert endpoint["port"] in {port["name"] for port in container["ports"]}
    load = yaml.safe_load((ROOT / "charts/milvus-loadgen/values.yaml").read_text())["monitoring"]["podMonitor"]
    assert (endpoint["path"], endpoint["interval"]) == ("/metrics", load["interval"])


@pytest.mark.parametrize("name", ["cluster", "standalone"])
def test_milvus_serves_its_metrics_and_has_room(name: str) -> None:
    values = yaml.safe_load((K8S / "milvus" / f"{name}.yaml").read_text())
    assert values["cluster"]["enabled"] is (name == "cluster")
    assert values["metrics"]["serviceMonitor"]["enabled"] is True
    for part in ("proxy", "queryNode", "streamingNode") if name == "cluster" else ("standalone",):
        assert set(values[part]["resources"]["requests"]) == {"cpu", "memory"}


def test_grafanas_side_car_looks_for_what_the_chart_writes() -> None:
    theirs = yaml.safe_load((K8S / "monitoring" / "values.yaml").read_text())["grafana"]["sidecar"]["dashboards"]
    ours = yaml.safe_load((ROOT / "charts/milvus-loadgen/values.yaml").read_text())["monitoring"]["dashboards"]
    assert (theirs["label"], theirs["labelValue"]) == (ours["label"], ours["labelValue"])
    assert theirs["folderAnnotation"] == ours["folderAnnotation"]


def test_grafanas_windows_follow_the_interval_at_which_the_pods_are_scraped() -> None:
    theirs = yaml.safe_load((K8S / "monitoring" / "values.yaml").read_text())["prometheus"]["prometheusSpec"]
    ours = yaml.safe_load((ROOT / "charts/milvus-loadgen/values.yaml").read_text())["monitoring"]["podMonitor"]
    assert theirs["scrapeInterval"] == ours["interval"], "it is the data source's timeInterval in Grafana"


def test_the_page_names_files_and_objects_that_are_there() -> None:
    paths = set(re.findall(r"\b(?:k8s|charts)/[\w./-]+", PAGE))
    assert len(paths) >= 6
    assert [path for path in paths if not (ROOT / path).exists()] == []
    names = {each["metadata"]["name"] for each in render({}, name="demo")}
    assert set(re.findall(r"job/(\S+)", PAGE)) <= names, "a run's name is not known before"
    for line in re.sub(r"\\\n", " ", PAGE).splitlines():
        if line.startswith(("helm ", "kubectl ", "kind ", "docker ")):
            assert shlex.split(line)


@pytest.mark.parametrize("page", ["k8s/README.md", "charts/milvus-loadgen/README.md"])
def test_a_page_follows_a_run_by_a_command_that_the_program_knows(page: str) -> None:
    text = re.sub(r"\\\n", " ", (ROOT / page).read_text())
    parser = ArgumentParser()
    add_follow(parser.add_subparsers())
    lines = re.findall(r"^loadgen ((?:follow|fetch) [^#\n]*)", text, re.MULTILINE)
    assert lines
    assert {parser.parse_args(shlex.split(line)).release for line in lines} == {"demo"}


def test_the_loop_without_the_program_asks_the_containers_of_the_master_in_their_order() -> None:
    text = (ROOT / "charts/milvus-loadgen/README.md").read_text()
    [listed] = re.findall(r"^for container in (.*); do$", text, re.MULTILINE)
    documents = render({}, name="demo")
    pod = pod_of(documents, "master")["spec"]
    assert listed.split() == [each["name"] for each in (*pod["initContainers"], *pod["containers"])]
    [selector] = re.findall(r"kubectl get job -l (\S+)", text)
    labels = one(documents, "Job", "-master")["metadata"]["labels"]
    assert dict(part.split("=") for part in selector.split(",")).items() <= labels.items()


def test_one_version_of_helm_is_asked_for() -> None:
    pages = [path for path in ROOT.rglob("*.md") if not {".venv", "build"} & set(path.relative_to(ROOT).parts)]
    reported = {version for path in pages for version in re.findall(r"(?i)`?helm`? (\d+\.\d+)", path.read_text())}
    assert reported == {"3.14"}


LOCUSTS = {
    "annotations", "args", "env", "image", "imagePullPolicy", "imagePullSecrets", "labels", "locustfile", "master",
    "metrics", "worker", "workers",
}  # fmt: skip
"""Fields of the resource of Locust's operator, v1, in its published definition."""
HAMOUDAS = {
    "env", "image", "imagePullPolicy", "imagePullSecrets", "master", "observability", "scheduling", "security",
    "testFiles", "volumeMounts", "volumes", "worker",
}  # fmt: skip
"""Those of AbdelrhmanHamouda's, v2."""
OPERATORS = {
    "locust": ("locust.io/v1", LOCUSTS, {"annotations", "labels", "resources"}),
    "abdelrhmanhamouda": (
        "locust.io/v2",
        HAMOUDAS,
        {"annotations", "autoquit", "autostart", "command", "extraArgs", "labels", "replicas", "resources"},
    ),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_a_resource_for_an_operator_has_fields_that_it_knows_and_flags_that_the_program_knows(
    name: str, tmp_path: Path
) -> None:
    version, fields, parts = OPERATORS[name]
    resource = yaml.safe_load((K8S / "operators" / f"{name}.yaml").read_text())
    assert (resource["apiVersion"], resource["kind"]) == (version, "LocustTest")
    spec = resource["spec"]
    assert set(spec) <= fields
    for role in ("master", "worker"):
        assert set(spec[role]) <= parts
        words = shlex.split(spec.get("args") or spec[role]["command"]) + spec[role].get("extraArgs", [])
        options = parse("", tmp_path, f"--{role}", *words)
        assert getattr(options, role) is True
        if role == "master":
            assert {"--headless", "--autostart"} & {*words, *(["--autostart"] if spec[role].get("autostart") else [])}
    listed = spec["env"] if name == "locust" else spec["env"]["variables"]
    for variable in listed:
        assert variable["name"].removeprefix("LOADGEN_").lower() in Settings.model_fields


def test_the_milvus_of_the_test_on_kind_is_accepted_and_at_its_address() -> None:
    documents = list(yaml.safe_load_all((K8S / "kind" / "milvus.yaml").read_text()))
    assert [fault for each in documents for fault in faults_of(each, "1.28.0")] == []
    service = one(documents, "Service")
    assert f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}" in KIND


def test_the_test_on_kind_sets_values_that_the_chart_has_and_waits_for_lines_that_are_logged() -> None:
    text = re.sub(r"\\\n", " ", KIND)
    given = {key: value for key, value in re.findall(r"--set '?([\w.-]+)=([^ ')]+)", text) if "$" not in value}
    values: dict[str, object] = {}
    for key, value in given.items():
        *path, last = key.split(".")
        place = values
        for part in path:
            place = place.setdefault(part, {})  # type: ignore[assignment] # a map
        place[last] = yaml.safe_load(value.replace("{", "[").replace("}", "]"))
    assert len(given) > 15
    assert run_of(render(values)) == "fixed"
    logged = (ROOT / "loadgen/control/coordinator.py").read_text()
    assert "Phase %d of %d: " in logged
    phases = {f"Phase {number} of 4" for number in (1, 2, 3)}
    assert set(re.findall(r'logged \w+ "(Phase \d of \d)"', KIND)) == phases
