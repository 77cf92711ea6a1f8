"""Mode interactive: Locust's page, and as many workers as are needed."""

from tests.charts.chart_support import container_of, matches, one, pod_of, release_of


def test_interactive_is_two_deployments_and_a_page_behind_a_service() -> None:
    documents = release_of("interactive")
    assert {each["kind"] for each in documents} & {"Job", "Ingress", "HorizontalPodAutoscaler"} == set()
    master, workers = one(documents, "Deployment", "-master")["spec"], one(documents, "Deployment", "-worker")["spec"]
    assert (master["replicas"], master["strategy"], workers["replicas"]) == (1, {"type": "Recreate"}, 3)
    assert (master["progressDeadlineSeconds"], workers["progressDeadlineSeconds"]) == (21_600, 21_600), (
        "loading takes long"
    )
    args = container_of(documents, "master")["args"]
    assert "--headless" not in args
    assert args[args.index("--web-port") + 1] == "8089"
    assert args[args.index("--web-host") + 1] == "*", "by default it is on loopback, where neither Service nor probe is"
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
