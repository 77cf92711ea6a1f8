"""OpenShift, IPv6 and service meshes."""

from argparse import ArgumentParser

import pytest

from loadgen.cli.beside import add_beside
from tests.charts.chart_support import ROLES, config_of, container_of, containers, one, pod_of, release_of, render

IDENTITY = {"runAsUser", "runAsGroup", "fsGroup"}
NATIVE, ORDINARY = ("istio-native", "linkerd-native"), ("istio-sidecar", "linkerd-sidecar")


def test_on_openshift_the_cluster_chooses_user_and_groups_and_all_else_stays_restricted() -> None:
    documents = release_of("openshift")
    specs = [pod_of(documents, role)["spec"] for role in ROLES] + [one(documents, "Pod")["spec"]]
    for spec in specs:
        assert not IDENTITY & set(spec["securityContext"])
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert all(not IDENTITY & set(each["securityContext"]) for each in containers(documents))
    elsewhere = pod_of(render({"platform": "kubernetes"}), "master")["spec"]["securityContext"]
    assert {key: elsewhere[key] for key in IDENTITY} == dict.fromkeys(IDENTITY, 65532)
    assert pod_of(render({"platform": "auto"}), "master")["spec"]["securityContext"] == elsewhere


def test_a_user_that_somebody_chose_is_kept_on_openshift_too() -> None:
    values = {"platform": "openshift", "pod": {"securityContext": {"runAsUser": 1_000_700_000}}}
    assert pod_of(render(values), "worker")["spec"]["securityContext"]["runAsUser"] == 1_000_700_000


def test_an_address_of_ipv6_arrives_as_it_is_and_its_port_is_open() -> None:
    documents = release_of("ipv6")
    assert 'host = "http://[fd00:1::19]:19530"' in config_of(documents)
    for role in ROLES:
        egress = one(documents, "NetworkPolicy", f"-{role}")["spec"]["egress"]
        assert egress[1]["ports"] == [{"protocol": "TCP", "port": 19530}]


@pytest.mark.parametrize("feature", ORDINARY)
def test_beside_an_ordinary_sidecar_the_run_waits_for_it_and_ends_it(feature: str) -> None:
    documents = release_of(feature)
    test = one(documents, "Pod")["spec"]["containers"][0]
    for container in (*(container_of(documents, role) for role in ROLES), test):
        program, *words = container["command"]
        assert program == "loadgen"
        parser = ArgumentParser()
        add_beside(parser.add_subparsers())
        given = parser.parse_args([*words, *container["args"]])
        assert given.ready.startswith("http://127.0.0.1:")
        assert given.quit.startswith("http://127.0.0.1:")
        assert given.words == ["locust", *container["args"]]


@pytest.mark.parametrize(
    ("feature", "into", "out"),
    [
        (
            "istio-sidecar",
            "traffic.sidecar.istio.io/excludeInboundPorts",
            "traffic.sidecar.istio.io/excludeOutboundPorts",
        ),
        ("linkerd-sidecar", "config.linkerd.io/skip-inbound-ports", "config.linkerd.io/skip-outbound-ports"),
    ],
)
def test_what_init_containers_reach_bypasses_a_sidecar_that_does_not_run_yet(feature: str, into: str, out: str) -> None:
    documents = release_of(feature)
    ports = {str(port["port"]) for port in one(documents, "Service", "-master")["spec"]["ports"]}
    annotations = pod_of(documents, "worker")["metadata"]["annotations"]
    assert set(annotations[out].split(",")) == ports | {"19530"}
    assert set(annotations[into].split(",")) == ports | {"9646"}


@pytest.mark.parametrize("feature", NATIVE)
def test_beside_a_native_sidecar_the_command_is_locusts_own(feature: str) -> None:
    documents = release_of(feature)
    assert all("command" not in container_of(documents, role) for role in ROLES)
    metadata = pod_of(documents, "master")["metadata"]
    assert "true" in {value for key, value in metadata["annotations"].items() if "ative" in key}


def test_linkerd_does_not_guess_the_protocol_of_a_port_whose_server_speaks_first() -> None:
    documents = release_of("linkerd-native")
    service = one(documents, "Service", "-master")
    ports = {str(port["port"]) for port in service["spec"]["ports"]}
    for metadata in (service["metadata"], pod_of(documents, "master")["metadata"]):
        assert set(metadata["annotations"]["config.linkerd.io/opaque-ports"].split(",")) == ports


def test_packages_are_written_by_the_init_container_and_found_by_all_others() -> None:
    documents = release_of("packages")
    for role in ROLES:
        first, *others = pod_of(documents, role)["spec"]["initContainers"]
        [target] = [each["mountPath"] for each in first["volumeMounts"] if each["name"] == "packages"]
        assert target in first["command"]
        for container in (*others, container_of(documents, role)):
            assert {"name": "PYTHONPATH", "value": target} in container["env"]
            assert {"name": "packages", "mountPath": target, "readOnly": True} in container["volumeMounts"]
