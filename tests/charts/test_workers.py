"""What one, ten and a hundred workers need."""

import pytest

from tests.charts.chart_support import container_of, matches, one, pod_of, release_of


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
