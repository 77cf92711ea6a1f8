"""A run in mode job: one that ends by itself, and the one that checks."""

from tests.charts.chart_support import container_of, one, release_of, render


def test_the_master_is_tried_once_and_the_worker_job_ends_with_it() -> None:
    documents = release_of("job")
    master, workers = one(documents, "Job", "-master")["spec"], one(documents, "Job", "-worker")["spec"]
    assert master["backoffLimit"] == 0
    assert "completions" not in workers, "with it, each worker that ended well would not end the others"
    assert (workers["parallelism"], workers["backoffLimit"]) == (2, 10)
    for job in (master, workers):
        assert job["template"]["spec"]["restartPolicy"] == "Never"
        assert "ttlSecondsAfterFinished" not in job, "a tool that heals would start a removed Job again"
    assert "activeDeadlineSeconds" not in master
    assert workers["activeDeadlineSeconds"] == 172_800, "workers without a node outlive no master for ever"
    gone, moved = workers["podFailurePolicy"]["rules"]
    assert gone["action"] == "FailJob"
    assert gone["onExitCodes"] == {"containerName": "wait-for-master", "operator": "In", "values": [3]}
    assert moved == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}


def test_a_master_that_loses_its_node_while_it_prepares_starts_again_and_one_that_ran_never_does() -> None:
    ran, moved = one(release_of("job"), "Job", "-master")["spec"]["podFailurePolicy"]["rules"]
    assert ran["action"] == "FailJob", "the first rule that fits decides"
    assert ran["onExitCodes"] == {"containerName": "master", "operator": "NotIn", "values": [0]}
    assert moved == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}


def test_the_deadline_of_a_run_is_that_of_its_workers_too() -> None:
    documents = render({"run": {"activeDeadlineSeconds": 60}})
    assert {one(documents, "Job", name)["spec"]["activeDeadlineSeconds"] for name in ("-master", "-worker")} == {60}
    unlimited = render({"workers": {"activeDeadlineSeconds": None}})
    assert "activeDeadlineSeconds" not in one(unlimited, "Job", "-worker")["spec"]


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


# helm test


def test_the_checking_pod_is_a_hook_that_loads_small_data_and_ends_with_a_verdict() -> None:
    pod = one(release_of("job"), "Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert pod["spec"]["restartPolicy"] == "Never"
    assert pod["metadata"]["annotations"]["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
    kept = one(render({"test": {"keep": True}}), "Pod")
    assert kept["metadata"]["annotations"]["helm.sh/hook-delete-policy"] == "before-hook-creation"
    [prepare], [test] = pod["spec"]["initContainers"], pod["spec"]["containers"]
    assert prepare["command"] == ["loadgen", "prepare"]
    assert test["args"][test["args"].index("--config") + 1] == "/etc/loadgen/config/test.conf"
    assert "--headless" in test["args"]
    assert "--master" not in test["args"]
