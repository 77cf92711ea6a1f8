"""The chart rendered by Helm itself, and the published schemas of Kubernetes."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml
from helm_python.chart import Chart
from kubernetes_validate.utils import all_versions
from packaging.version import Version
from referencing import Registry, Resource

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "milvus-loadgen"
FEATURES = sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml"))
URI = "http://my-milvus:19530"
OPERATOR = "monitoring.coreos.com/v1"
SCHEMAS = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
KUBERNETES = sorted({version for version in all_versions() if Version(version) >= Version("1.28")}, key=Version)
ROLES = ("master", "worker")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The dashboards are long."""
Document = dict[str, Any]


def values_of(feature: str) -> Document:
    """What `ci/<feature>-values.yaml` gives."""
    values: Document = yaml.safe_load((CHART / "ci" / f"{feature}-values.yaml").read_text())
    return values


def texts_of(values: Document, **release: Any) -> dict[str, str]:
    """What Helm makes of the templates, by their names."""
    with Chart.load(CHART) as chart:
        given: dict[str, Any] = {"name": "demo", "namespace": "load", "revision": 1} | release
        return chart.render({"milvus": {"uri": URI}} | values, **given)


def render(values: Document, **release: Any) -> list[Document]:
    """All objects of a release."""
    texts = texts_of(values, **release)
    result = [yaml.load_all(text, LOADER) for name, text in texts.items() if not name.endswith("NOTES.txt")]
    return [document for documents in result for document in documents if document]


@cache
def _release_of(feature: str) -> str:
    return json.dumps(render(values_of(feature)))


def release_of(feature: str) -> list[Document]:
    """All objects of a feature's release; rendered once."""
    documents: list[Document] = json.loads(_release_of(feature))
    return documents


def one(documents: list[Document], kind: str, part: str = "") -> Document:
    """The only object of that kind whose name ends so."""
    result = [each for each in documents if each["kind"] == kind and each["metadata"]["name"].endswith(part)]
    assert len(result) == 1, [(each["kind"], each["metadata"]["name"]) for each in documents]
    return result[0]


def pod_of(documents: list[Document], role: str) -> Document:
    """The pod template of the master or the workers."""
    owners = [each for each in documents if each["kind"] in ("Job", "Deployment")]
    template: Document = next(each for each in owners if each["metadata"]["name"].endswith(role))["spec"]["template"]
    return template


def run_of(documents: list[Document]) -> str:
    """The name of the run, which is in the names of its Jobs."""
    name = str(one(documents, "Job", "-master")["metadata"]["name"])
    return name.removesuffix("-master").rpartition("milvus-loadgen-")[2]


def container_of(documents: list[Document], role: str) -> Document:
    """The container of the master or of a worker."""
    containers = pod_of(documents, role)["spec"]["containers"]
    assert [each["name"] for each in containers] == [role]
    document: Document = containers[0]
    return document


def containers(documents: list[Document]) -> list[Document]:
    """All containers of all pods, the checking one's too."""
    specs = [pod_of(documents, role)["spec"] for role in ROLES]
    specs += [each["spec"] for each in documents if each["kind"] == "Pod"]
    return [container for spec in specs for container in spec.get("initContainers", []) + spec["containers"]]


def matches(selector: dict[str, str], labels: dict[str, str]) -> bool:
    """Whether a selector chooses what has these labels; an empty one is none."""
    return bool(selector) and selector.items() <= labels.items()


def config_of(documents: list[Document], file: str = "loadgen.conf") -> str:
    """The rendered config file."""
    suffix = "-test" if file == "test.conf" else "-config"
    return str(one(documents, "ConfigMap", suffix)["data"][file])


@cache
def _registry(version: str) -> Any:
    definitions = json.loads((SCHEMAS / f"v{version}-local-strict" / "_definitions.json").read_text())
    return Resource.from_contents(definitions) @ Registry()


@cache
def validator(version: str, kind: str, api_version: str) -> Any:
    """The strict schema of one kind in one version of Kubernetes. FileNotFoundError where it has no such kind."""
    group, _, number = api_version.rpartition("/")
    name = "-".join(part for part in (kind.lower(), group.partition(".")[0], number) if part)
    schema = json.loads((SCHEMAS / f"v{version}-local-strict" / f"{name}.json").read_text())
    registry = Resource.from_contents(schema) @ _registry(version)
    return jsonschema.Draft202012Validator(schema, registry=registry)


def faults_of(document: Document, version: str) -> list[str]:
    """What that version of Kubernetes would not accept."""
    checker = validator(version, document["kind"], document["apiVersion"])
    return [f"{error.json_path}: {error.message}" for error in checker.iter_errors(document)]
