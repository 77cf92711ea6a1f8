"""A run that is continued after its master lost its pod, and a record in object storage."""

import pytest
from helm_python.errors import HelmError

from tests.charts.chart_support import config_of, container_of, one, pod_of, release_of, render, run_of


def test_a_master_that_lost_its_pod_is_started_again_and_one_that_ended_by_itself_is_not() -> None:
    spec = one(release_of("resume"), "Job", "-master")["spec"]
    moved, ran, unprepared = spec["podFailurePolicy"]["rules"]
    assert spec["backoffLimit"] == 3
    assert moved == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    assert ran["action"] == unprepared["action"] == "FailJob"
    assert ran["onExitCodes"] == {"containerName": "master", "operator": "NotIn", "values": [0, 137, 143]}
    assert unprepared["onExitCodes"] == {"containerName": "prepare", "operator": "In", "values": [2]}
    assert one(release_of("resume"), "Job", "-worker")["spec"]["backoffLimit"] == 10 + 2 * 3, "all end with the master"


def test_a_run_that_may_be_continued_has_a_folder_in_the_claim_and_workers_that_wait_for_its_next_master() -> None:
    documents = release_of("resume")
    args = container_of(documents, "master")["args"]
    assert "--resume" in args
    assert args[args.index("--record") + 1] == f"/record/demo-milvus-loadgen-{run_of(documents)}"
    [waiting] = pod_of(documents, "worker")["spec"]["initContainers"]
    assert "--returns" in waiting["args"]
    [waiting] = pod_of(release_of("job"), "worker")["spec"]["initContainers"]
    assert "--returns" not in waiting["args"]


def test_the_credentials_of_the_object_storage_are_the_masters_and_in_no_config() -> None:
    documents = release_of("resume")
    assert 'record-url = "s3://my-bucket/loadgen"' in config_of(documents)
    master, worker = pod_of(documents, "master")["spec"], pod_of(documents, "worker")["spec"]
    for container in (*master["containers"], *master["initContainers"]):
        assert container["envFrom"] == [{"secretRef": {"name": "object-storage"}}]
    for container in (*worker["containers"], *worker["initContainers"]):
        assert "envFrom" not in container


def test_a_network_policy_lets_the_master_reach_the_object_storage() -> None:
    values = {"networkPolicy": {"enabled": True}, "record": {"url": "s3://my-bucket"}}
    opened = {"ports": [{"protocol": "TCP", "port": 443}]}
    documents = render(values)
    assert opened in one(documents, "NetworkPolicy", "-master")["spec"]["egress"]
    assert opened not in one(documents, "NetworkPolicy", "-worker")["spec"]["egress"]


@pytest.mark.parametrize(
    ("values", "reported"),
    [
        ({"record": {"resume": True}}, "record.resume: needs a record that survives the pod"),
        ({"mode": "interactive", "record": {"resume": True, "volume": "claim"}}, "record.resume: is for mode job"),
        ({"record": {"url": "https://bucket"}}, "url"),
        ({"record": {"url": "s3://key:secret@bucket"}}, "url"),
        ({"loadgen": {"resume": True}}, "resume"),
        ({"loadgen": {"record-url": "s3://bucket"}}, "record-url"),
    ],
)
def test_what_cannot_be_continued_or_stored_is_refused(values: dict[str, object], reported: str) -> None:
    with pytest.raises(HelmError, match=reported):
        render(values)
