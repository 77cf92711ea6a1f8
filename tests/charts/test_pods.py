"""What every pod of a run is and has, in both modes."""

from argparse import ArgumentParser
from typing import Any

import pytest

from loadgen.cli.prepare import add_prepare
from loadgen.cli.wait import add_wait
from tests.charts.chart_support import (
    FEATURES,
    ROLES,
    URI,
    container_of,
    containers,
    matches,
    one,
    pod_of,
    release_of,
    render,
    values_of,
)

BOTH = ("job", "interactive")


@pytest.mark.parametrize("feature", BOTH)
def test_workers_find_the_master_by_its_service_at_the_port_that_it_listens_on(feature: str) -> None:
    documents = release_of(feature)
    service, master = one(documents, "Service", "-master"), container_of(documents, "master")
    args = container_of(documents, "worker")["args"]
    assert args[args.index("--master-host") + 1] == service["metadata"]["name"]
    port, heartbeat = service["spec"]["ports"]
    listens = next(each for each in master["ports"] if each["name"] == port["targetPort"])["containerPort"]
    bound = master["args"][master["args"].index("--master-bind-port") + 1]
    wanted = args[args.index("--master-port") + 1]
    assert {str(port["port"]), str(listens), bound, wanted} == {"5557"}
    [wait] = pod_of(documents, "worker")["spec"]["initContainers"]
    assert (wait["name"], wait["command"]) == ("wait-for-master", ["loadgen", "wait"])
    address = f"{service['metadata']['name']}:5557"
    parser = ArgumentParser()
    commands = parser.add_subparsers()
    add_wait(commands)
    add_prepare(commands)
    given = parser.parse_args(["wait", *wait["args"]])
    assert wait["args"][0] == address
    assert (given.seconds, given.unnamed_seconds) == (21_600, 900)
    [prepare] = pod_of(documents, "master")["spec"]["initContainers"]
    said = parser.parse_known_args(["prepare", *prepare["args"]])[0].heartbeat
    assert (heartbeat["port"], heartbeat["targetPort"], said) == (given.heartbeat,) * 3
    assert (service["spec"]["clusterIP"], service["spec"]["publishNotReadyAddresses"]) == ("None", True)
    assert matches(service["spec"]["selector"], pod_of(documents, "master")["metadata"]["labels"])
    assert not matches(service["spec"]["selector"], pod_of(documents, "worker")["metadata"]["labels"])


@pytest.mark.parametrize("feature", FEATURES)
def test_every_selector_chooses_the_pods_it_is_meant_for_and_no_others(feature: str) -> None:
    documents = release_of(feature)
    labels = {role: pod_of(documents, role)["metadata"]["labels"] for role in ROLES}
    for each in documents:
        role = each["metadata"]["labels"].get("app.kubernetes.io/component")
        spec: Any = each.get("spec", {})
        selector = spec.get("podSelector") or spec.get("selector")
        if role not in ROLES or not selector:
            continue
        chosen = selector.get("matchLabels", selector)
        assert [result for result in ROLES if matches(chosen, labels[result])] == [role], each["metadata"]["name"]


@pytest.mark.parametrize("feature", FEATURES)
def test_every_pod_passes_the_restricted_level_and_has_no_cpu_limit(feature: str) -> None:
    documents = release_of(feature)
    for role in ROLES:
        pod = pod_of(documents, role)["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert (feature == "openshift") != (pod["securityContext"].get("runAsUser", 0) > 0)
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert not any("hostPath" in volume for volume in pod["volumes"])
    for container in containers(documents):
        if container["name"] == "first":  # the user's own
            continue
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert set(container["resources"]["limits"]) == {"memory"}


@pytest.mark.parametrize("feature", FEATURES)
def test_every_mount_has_its_volume_and_every_object_that_a_pod_names_is_there_or_the_users(feature: str) -> None:
    documents = release_of(feature)
    ours = {(each["kind"], each["metadata"]["name"]) for each in documents}
    theirs = {
        ("ConfigMap", "our-locustfiles"),
        ("PersistentVolumeClaim", "results"),
        ("Secret", "milvus-tls"),
        ("Secret", "certs"),
    }
    for role in ROLES:
        pod = pod_of(documents, role)["spec"]
        names = [volume["name"] for volume in pod["volumes"]]
        assert len(set(names)) == len(names)
        for container in pod["containers"] + pod.get("initContainers", []):
            mounts = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
            assert {mount["name"] for mount in container.get("volumeMounts", [])} <= set(names)
            assert len(set(mounts)) == len(mounts)
            nested = [(a, b) for a in mounts for b in mounts if a != b and b.startswith(f"{a}/")]
            assert nested == [], "a mount within a read-only one cannot be made"
        for volume in pod["volumes"]:
            named = {
                ("ConfigMap", volume.get("configMap", {}).get("name")),
                ("Secret", volume.get("secret", {}).get("secretName")),
                ("PersistentVolumeClaim", volume.get("persistentVolumeClaim", {}).get("claimName")),
            }
            assert {each for each in named if each[1]} <= ours | theirs


@pytest.mark.parametrize("feature", BOTH)
def test_probes_ask_ports_that_are_open_and_bear_minutes_of_silence(feature: str) -> None:
    for role in ROLES:
        container = container_of(release_of(feature), role)
        ports = {port["name"] for port in container["ports"]}
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert container[name]["tcpSocket"]["port"] in ports
        liveness, startup = container["livenessProbe"], container["startupProbe"]
        assert liveness["periodSeconds"] * liveness["failureThreshold"] >= 300
        assert startup["periodSeconds"] * startup["failureThreshold"] >= 300


def test_the_token_comes_from_a_secret_made_or_named() -> None:
    made = release_of("token")
    secret = one(made, "Secret")
    assert secret["stringData"] == {"token": "root:Milvus"}
    for documents, name, key in (
        (made, secret["metadata"]["name"], "token"),
        (release_of("token-secret"), "milvus-login", "api-key"),
    ):
        for container in containers(documents):
            [variable] = [each for each in container["env"] if each["name"] == "LOADGEN_TOKEN"]
            assert variable["valueFrom"] == {"secretKeyRef": {"name": name, "key": key}}
    assert [each for each in release_of("token-secret") if each["kind"] == "Secret"] == []
    assert all("env" not in container for container in containers(release_of("job")))


def test_tls_files_are_mounted_for_all_who_connect() -> None:
    for container in containers(release_of("tls")):
        assert {"name": "tls", "mountPath": "/etc/loadgen/tls", "readOnly": True} in container["volumeMounts"]


def test_locustfiles_of_ones_own_are_mounted_where_the_command_line_looks() -> None:
    for feature, name, config_map in (
        ("locustfile", "mine.py", one(release_of("locustfile"), "ConfigMap", "-files")["metadata"]["name"]),
        ("locustfile-configmap", "theirs.py", "our-locustfiles"),
    ):
        documents = release_of(feature)
        for role in ROLES:
            args = container_of(documents, role)["args"]
            assert args[args.index("--locustfile") + 1] == f"/etc/loadgen/locustfiles/{name}"
            volumes = pod_of(documents, role)["spec"]["volumes"]
            assert {"name": "locustfiles", "configMap": {"name": config_map}} in volumes
    inline = one(release_of("locustfile"), "ConfigMap", "-files")
    assert inline["data"] == values_of("locustfile")["locustfile"]["inline"]


def test_the_record_goes_to_the_volume_that_was_asked_for() -> None:
    volumes = {
        feature: next(
            each for each in pod_of(release_of(feature), "master")["spec"]["volumes"] if each["name"] == "record"
        )
        for feature in ("job", "claim", "existing-claim")
    }
    assert volumes["job"] == {"name": "record", "emptyDir": {}}
    assert volumes["existing-claim"]["persistentVolumeClaim"] == {"claimName": "results"}
    claim = one(release_of("claim"), "PersistentVolumeClaim")
    assert volumes["claim"]["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"]}
    assert claim["spec"]["resources"] == {"requests": {"storage": "5Gi"}}
    assert (claim["spec"]["storageClassName"], claim["spec"]["accessModes"]) == ("fast", ["ReadWriteMany"])
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_all_that_may_be_said_about_pods_is_said_and_the_workers_own_comes_first() -> None:
    documents = release_of("pods")
    asked = values_of("pods")["pod"]
    master, worker = (pod_of(documents, role)["spec"] for role in ROLES)
    for key in ("tolerations", "priorityClassName", "runtimeClassName", "hostAliases", "dnsConfig"):
        assert master[key] == worker[key] == asked[key]
    assert (master["nodeSelector"], worker["nodeSelector"]) == ({"pool": "load"}, {"pool": "load-workers"})
    assert "affinity" not in master
    assert worker["affinity"] == values_of("pods")["workers"]["pod"]["affinity"]
    assert worker["topologySpreadConstraints"][0]["topologyKey"] == "topology.kubernetes.io/zone"
    assert master["imagePullSecrets"] == [{"name": "registry"}]
    assert master["serviceAccountName"] == "load"
    assert [each["name"] for each in master["initContainers"]] == ["first"]
    labels = pod_of(documents, "master")["metadata"]["labels"]
    assert (labels["team"], labels["sidecar.istio.io/inject"]) == ("search", "false")
    annotations = pod_of(documents, "master")["metadata"]["annotations"]
    assert (annotations["example.com/note"], annotations["example.com/owner"]) == ("all", "search")
    container = container_of(documents, "worker")
    assert container["image"] == f"registry.example.com/milvus-loadgen@sha256:{'0' * 64}"
    assert (container["env"], container["envFrom"]) == (asked["extraEnv"], asked["envFrom"])
    assert asked["extraVolumeMounts"][0] in container["volumeMounts"]
    assert asked["extraVolumes"][0] in worker["volumes"]
    assert not {"livenessProbe", "startupProbe"} & set(container)
    assert {each["kind"] for each in documents} == {"ConfigMap", "Job", "Service"}


def test_another_configuration_starts_a_deployments_pods_anew() -> None:
    sums = {
        pod_of(render({"mode": "interactive", "loadgen": {"rows": rows}}), "worker")["metadata"]["annotations"][
            "checksum/config"
        ]
        for rows in (10, 20, 20)
    }
    assert len(sums) == 2


@pytest.mark.parametrize(
    "key", ["nodeSelector", "affinity", "tolerations", "priorityClassName", "hostAliases", "dnsConfig"]
)
def test_the_workers_can_be_without_what_every_pod_has(key: str) -> None:
    values = values_of("pods")
    everybodys = values["pod"].get(key) or values["workers"]["pod"][key]
    values["pod"][key] = everybodys
    values["workers"]["pod"][key] = type(everybodys)()
    documents = render(values)
    assert key not in pod_of(documents, "worker")["spec"]
    assert pod_of(documents, "master")["spec"][key] == everybodys


def test_what_the_workers_add_to_a_map_is_joined_and_what_they_do_not_name_stays() -> None:
    pod = {"nodeSelector": {"pool": "load"}, "terminationGracePeriodSeconds": 90}
    own = {"nodeSelector": {"disk": "ssd"}, "terminationGracePeriodSeconds": 0, "labels": {}}
    documents = render({"pod": pod | {"labels": {"team": "search"}}, "workers": {"pod": own}})
    worker = pod_of(documents, "worker")
    assert worker["spec"]["nodeSelector"] == {"pool": "load", "disk": "ssd"}
    assert worker["spec"]["terminationGracePeriodSeconds"] == 0
    assert "team" not in worker["metadata"]["labels"]
    assert worker["spec"]["securityContext"]["runAsNonRoot"] is True
    assert pod_of(documents, "master")["metadata"]["labels"]["team"] == "search"


@pytest.mark.parametrize("mode", ["job", "interactive"])
def test_a_token_is_in_its_secret_and_changes_nothing_else(mode: str) -> None:
    """Not even as a hash: guesses could be checked against it."""
    first, second = (render({"mode": mode, "milvus": {"uri": URI, "token": {"value": f"root:{x}"}}}) for x in "ab")
    differ = [(one["kind"], one.get("stringData")) for one, other in zip(first, second, strict=True) if one != other]
    assert differ == [("Secret", {"token": "root:a"})]
