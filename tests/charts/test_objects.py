"""The objects say what the run needs."""

import json
from typing import Any

import pytest

from tests.charts.chart_support import (
    CHART,
    FEATURES,
    OPERATOR,
    Document,
    container_of,
    one,
    pod_of,
    release_of,
    render,
    values_of,
)

BOTH = ("job", "interactive")
ROLES = ("master", "worker")


def matches(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return bool(selector) and selector.items() <= labels.items()


def containers(documents: list[Document]) -> list[Document]:
    """All containers of all pods, the checking one's too."""
    specs = [pod_of(documents, role)["spec"] for role in ROLES]
    specs += [each["spec"] for each in documents if each["kind"] == "Pod"]
    return [container for spec in specs for container in spec.get("initContainers", []) + spec["containers"]]


# Mode job


def test_the_master_is_tried_once_and_the_worker_job_ends_with_it() -> None:
    documents = release_of("job")
    master, workers = one(documents, "Job", "-master")["spec"], one(documents, "Job", "-worker")["spec"]
    assert master["backoffLimit"] == 0
    assert "completions" not in workers, "with it, each worker that ended well would not end the others"
    assert (workers["parallelism"], workers["backoffLimit"]) == (2, 10)
    for job in (master, workers):
        assert job["template"]["spec"]["restartPolicy"] == "Never"
        assert job["ttlSecondsAfterFinished"] == 86400
    gone, moved = workers["podFailurePolicy"]["rules"]
    assert gone["action"] == "FailJob"
    assert gone["onExitCodes"] == {"containerName": "wait-for-master", "operator": "In", "values": [3]}
    assert moved == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}


def test_the_exit_code_of_a_worker_says_nothing_about_failed_operations() -> None:
    args = container_of(release_of("job"), "worker")["args"]
    assert args[args.index("--exit-code-on-error") + 1] == "0"


def test_a_job_that_is_to_stay_and_to_end_in_time_is_told_so() -> None:
    for name in ("-master", "-worker"):
        spec = one(release_of("pods"), "Job", name)["spec"]
        assert "ttlSecondsAfterFinished" not in spec
        assert spec["activeDeadlineSeconds"] == 7200


def test_a_month_is_written_in_digits_and_not_with_an_exponent() -> None:
    seconds = 2_592_000
    run = {"ttlSecondsAfterFinished": seconds, "activeDeadlineSeconds": seconds}
    documents = render({"run": run, "master": {"workersWithinSeconds": seconds}})
    for name in ("-master", "-worker"):
        spec = one(documents, "Job", name)["spec"]
        assert repr(spec["ttlSecondsAfterFinished"]) == repr(spec["activeDeadlineSeconds"]) == "2592000"
    args = container_of(documents, "master")["args"]
    assert args[args.index("--expect-workers-max-wait") + 1] == "2592000"


@pytest.mark.parametrize(("feature", "number"), [("small", 1), ("job", 2), ("large", 100)])
def test_the_master_waits_for_as_many_workers_as_there_are(feature: str, number: int) -> None:
    documents = release_of(feature)
    args = container_of(documents, "master")["args"]
    assert one(documents, "Job", "-worker")["spec"]["parallelism"] == number
    assert args[args.index("--expect-workers") + 1] == str(number)
    assert args[args.index("--expect-workers-max-wait") + 1] == "900"
    assert "--headless" in args
    [spread] = pod_of(documents, "worker")["spec"]["topologySpreadConstraints"]
    assert (spread["maxSkew"], spread["topologyKey"]) == (1, "kubernetes.io/hostname")
    assert matches(spread["labelSelector"]["matchLabels"], pod_of(documents, "worker")["metadata"]["labels"])
    assert one(documents, "PodDisruptionBudget", "-worker")["spec"]["minAvailable"] == number


# Both modes


@pytest.mark.parametrize("feature", BOTH)
def test_workers_find_the_master_by_its_service_at_the_port_that_it_listens_on(feature: str) -> None:
    documents = release_of(feature)
    service, master = one(documents, "Service", "-master"), container_of(documents, "master")
    args = container_of(documents, "worker")["args"]
    assert args[args.index("--master-host") + 1] == service["metadata"]["name"]
    [port] = service["spec"]["ports"]
    listens = next(each for each in master["ports"] if each["name"] == port["targetPort"])["containerPort"]
    bound = master["args"][master["args"].index("--master-bind-port") + 1]
    wanted = args[args.index("--master-port") + 1]
    assert {str(port["port"]), str(listens), bound, wanted} == {"5557"}
    [wait] = pod_of(documents, "worker")["spec"]["initContainers"]
    assert (wait["name"], wait["command"]) == ("wait-for-master", ["loadgen", "wait"])
    assert wait["args"] == [f"{service['metadata']['name']}:5557", "--seconds", "21600"]
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
        assert [found for found in ROLES if matches(chosen, labels[found])] == [role], each["metadata"]["name"]


@pytest.mark.parametrize("feature", FEATURES)
def test_every_pod_passes_the_restricted_level_and_has_no_cpu_limit(feature: str) -> None:
    documents = release_of(feature)
    for role in ROLES:
        pod = pod_of(documents, role)["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
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
        ("locustfile", "mine.py", "demo-milvus-loadgen-r1-files"),
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


# Mode interactive


def test_interactive_is_two_deployments_and_a_page_behind_a_service() -> None:
    documents = release_of("interactive")
    assert {each["kind"] for each in documents} & {"Job", "Ingress", "HorizontalPodAutoscaler"} == set()
    master, workers = one(documents, "Deployment", "-master")["spec"], one(documents, "Deployment", "-worker")["spec"]
    assert (master["replicas"], master["strategy"], workers["replicas"]) == (1, {"type": "Recreate"}, 3)
    args = container_of(documents, "master")["args"]
    assert "--headless" not in args
    assert args[args.index("--web-port") + 1] == "8089"
    web = one(documents, "Service", "-web")["spec"]
    port = next(each for each in container_of(documents, "master")["ports"] if each["name"] == "http-web")
    assert (web["ports"][0]["targetPort"], port["containerPort"]) == ("http-web", 8089)
    assert matches(web["selector"], pod_of(documents, "master")["metadata"]["labels"])


def test_the_page_is_reached_from_outside_as_asked() -> None:
    documents = release_of("ingress")
    spec = one(documents, "Ingress")["spec"]
    service = one(documents, "Service", "-web")
    assert (service["spec"]["type"], service["spec"]["ports"][0]["port"]) == ("NodePort", 80)
    assert spec["ingressClassName"] == "nginx"
    assert [rule["host"] for rule in spec["rules"]] == ["load.example.com", "load.example.org"]
    paths = [rule["http"]["paths"][0] for rule in spec["rules"]]
    assert [(path["path"], path["pathType"]) for path in paths] == [("/", "Prefix"), ("/load", "Exact")]
    for path in paths:
        assert path["backend"]["service"] == {"name": service["metadata"]["name"], "port": {"name": "http-web"}}


def test_autoscaling_has_the_workers_and_their_number_to_itself() -> None:
    documents = release_of("autoscaling")
    workers, scaler = one(documents, "Deployment", "-worker"), one(documents, "HorizontalPodAutoscaler")["spec"]
    assert "replicas" not in workers["spec"]
    assert scaler["scaleTargetRef"]["name"] == workers["metadata"]["name"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 20)
    assert scaler["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 60}
    assert scaler["behavior"] == {"scaleDown": {"stabilizationWindowSeconds": 600}}


def test_the_network_is_closed_but_for_what_a_run_needs() -> None:
    documents = release_of("network-policy")
    master, worker = (one(documents, "NetworkPolicy", f"-{role}")["spec"] for role in ROLES)
    [from_workers, scrape] = master["ingress"]
    assert from_workers["ports"] == [{"protocol": "TCP", "port": 5557}]
    assert from_workers["from"][0]["podSelector"] == {"matchLabels": worker["podSelector"]["matchLabels"]}
    assert scrape["ports"] == [{"protocol": "TCP", "port": 9646}]
    assert scrape["from"] == values_of("network-policy")["networkPolicy"]["scrapeFrom"]
    assert [rule["ports"] for rule in worker["ingress"]] == [[{"protocol": "TCP", "port": 9646}]]
    dns, milvus, to_master, extra = worker["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert milvus["ports"] == [{"protocol": "TCP", "port": 19999}]
    assert milvus["to"] == values_of("network-policy")["networkPolicy"]["milvusTo"]
    assert to_master["ports"] == [{"protocol": "TCP", "port": 5557}]
    assert extra["ports"] == [{"protocol": "TCP", "port": 443}]


def test_without_a_port_in_the_address_the_policy_opens_that_of_its_scheme() -> None:
    for uri, port in (
        ("http://my-milvus", 19530),
        ("https://a.zillizcloud.com", 443),
        ("https://my-milvus:19530", 19530),
    ):
        documents = render({"milvus": {"uri": uri}, "networkPolicy": {"enabled": True}})
        milvus = one(documents, "NetworkPolicy", "-worker")["spec"]["egress"][1]
        assert milvus["ports"] == [{"protocol": "TCP", "port": port}]


# Monitoring


def test_where_the_cluster_lacks_the_operator_nothing_of_it_is_rendered() -> None:
    documents = release_of("job")
    assert [each for each in documents if each["apiVersion"] == OPERATOR] == []
    assert [each for each in documents if "grafana_dashboard" in each["metadata"]["labels"]] == []


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
        assert labels["milvus-loadgen/run"] == "r1"
        assert monitor["spec"]["jobLabel"] in labels
        assert endpoint["port"] in {port["name"] for port in container_of(documents, role)["ports"]}
    [expression] = monitor["spec"]["selector"]["matchExpressions"]
    assert expression == {"key": "app.kubernetes.io/component", "operator": "In", "values": list(ROLES)}


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


# helm test


def test_the_checking_pod_is_a_hook_that_loads_small_data_and_ends_with_a_verdict() -> None:
    pod = one(release_of("job"), "Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert pod["spec"]["restartPolicy"] == "Never"
    [prepare], [test] = pod["spec"]["initContainers"], pod["spec"]["containers"]
    assert prepare["command"] == ["loadgen", "prepare"]
    assert test["args"][test["args"].index("--config") + 1] == "/etc/loadgen/config/test.conf"
    assert "--headless" in test["args"]
    assert "--master" not in test["args"]
