"""Where metrics are served, what happens when they cannot be, how long they stay; and the files around them."""

import importlib
import re
import socket
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from loadgen.exporters import Exporter, Role, new_registry, serve
from loadgen.milvus.server import EmbeddedServer
from tests.integration.cluster_support import count_all
from tests.integration.locust_command import ENDS_WITHIN, ROOT, SEARCHED, SMALL, Run, run_locust, start_locust

LOCAL = ROOT / "k8s" / "monitoring" / "local"
RULES = ROOT / "charts" / "milvus-loadgen" / "rules" / "loadgen.yaml"


def read(url: str) -> dict[str, float]:
    """All samples without a label of an operation, and the sums over those labels."""
    with urlopen(url, timeout=5) as answer:  # noqa: S310 - an address on this machine
        text = answer.read().decode()
    result: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            result[sample.name] = result.get(sample.name, 0) + sample.value
    return result


def test_a_taken_port_is_passed_over_for_the_next_free_one() -> None:
    registry = new_registry(Exporter(Role.LOCAL, lambda: 5))
    first = serve(registry, "127.0.0.1", 0)
    second = serve(registry, "127.0.0.1", first.port)
    assert first.port < second.port <= first.port + 10
    assert second.url == f"http://127.0.0.1:{second.port}/metrics"
    assert read(second.url)["loadgen_users"] == 5
    for endpoint in (first, second):
        endpoint.close()
    with pytest.raises(OSError, match="refused"):
        read(second.url)


def test_an_endpoint_on_all_addresses_is_told_by_one_that_can_be_asked() -> None:
    registry = new_registry(Exporter(Role.LOCAL, lambda: 5))
    endpoint = serve(registry, "0.0.0.0", 0)  # noqa: S104 - what the chart sets
    assert endpoint.target == f"127.0.0.1:{endpoint.port}"
    assert read(endpoint.url)["loadgen_users"] == 5
    endpoint.close()


def test_where_no_port_is_left_it_says_so() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 65_535))
        held.listen()
        with pytest.raises(OSError, match="in use"):
            serve(new_registry(Exporter(Role.MASTER, lambda: 5)), "127.0.0.1", 65_535)


def test_an_address_of_another_machine_is_told_before_the_load(tmp_path: Path) -> None:
    run = run_locust(tmp_path, "--host", "http://127.0.0.1:1", "--metrics-bind", "192.0.2.1")
    assert run.code == 2
    assert "--metrics-bind 192.0.2.1 with port 9646: cannot be served on: " in run.err
    assert "Traceback" not in run.err


def test_metrics_stay_after_ctrl_c_with_all_that_was_counted_until_another_ctrl_c(
    milvus: EmbeddedServer, tmp_path: Path
) -> None:
    flags = ("--host", milvus.uri, "--collection", SEARCHED, *SMALL, "--mode", "sync", "-u", "2")
    run = start_locust(tmp_path, "--headless", *flags, "--metrics-port", "0", "--metrics-linger", "120")
    assert run.process.stderr
    for line in run.process.stderr:
        if "All users spawned" in line:
            time.sleep(2)  # counting begins when all users have started
            run.interrupt()
        if match := re.search(r"Metrics stay at (\S+) for 120 s", line):
            break
    else:
        pytest.fail("the metrics did not stay")
    reported = read(match[1])
    run.interrupt()
    run.finish(ENDS_WITHIN).assert_good()
    assert reported["loadgen_operations_total"] == run.reported["stats"]["sync search"] == count_all(run.reported)
    assert reported["loadgen_service_seconds_count"] == reported["loadgen_operations_total"]
    assert "loadgen_phase_info" not in reported, "the phase is over"
    assert reported["loadgen_run_info"] == 1


def test_what_the_users_can_do_is_told_with_0_before_there_is_a_run(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        web_port = probe.getsockname()[1]
    web = ("--web-host", "127.0.0.1", "--web-port", str(web_port))
    flags = ("--host", "http://127.0.0.1:1", *web, "--variants", "sync; async connections=2", "--metrics-port", "0")
    run = start_locust(tmp_path, *flags, files="mixed.py")
    assert run.process.stderr
    result = next(match for line in run.process.stderr if (match := re.search(r"Metrics are at (\S+)", line)))
    with urlopen(result[1], timeout=5) as answer:  # noqa: S310 - an address on this machine
        text = answer.read().decode()
    counters = (one for family in text_string_to_metric_families(text) for one in family.samples)
    ok = [one for one in counters if one.name == "loadgen_operations_total" and one.labels["outcome"] == "ok"]
    reported = [(*(one.labels[name] for name in ("variant", "mode", "operation")), one.value) for one in ok]
    assert reported == [
        (variant, mode, name, 0)
        for variant, mode in (("sync", "sync"), ("async connections=2", "async"))
        for name in ("delete", "insert", "search")
    ]
    run.interrupt()
    run.finish(ENDS_WITHIN)


def test_a_worker_that_joins_in_the_middle_of_a_phase_tells_of_it(milvus: EmbeddedServer, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    data = ("--host", milvus.uri, "--collection", SEARCHED, *SMALL, "--concurrency", "4", "--phase-seconds", "90")
    waiting = ("--headless", "--master", "--master-bind-port", port, "--expect-workers", "1", "--metrics-port", "0")
    joining = ("--worker", "--master-port", port, "--metrics-port", "0")
    runs = [start_locust(tmp_path / "master", *waiting, *data), start_locust(tmp_path / "first", *joining)]
    try:
        wait_for(address_of(runs[0]), "loadgen_phase_info")
        runs.append(start_locust(tmp_path / "second", *joining))
        wait_for(address_of(runs[-1]), "loadgen_phase_info")
        assert runs[0].process.poll() is None, "the first phase, a minute and a half long, is not over"
    finally:
        for run in runs:
            run.interrupt()
        for run in runs:
            run.finish(ENDS_WITHIN)


def address_of(run: Run) -> str:
    assert run.process.stderr
    return next(match[1] for line in run.process.stderr if (match := re.search(r"Metrics are at (\S+)", line)))


def wait_for(url: str, name: str) -> None:
    """Wait until a series is there and above 0."""
    deadline = time.monotonic() + 40
    while not read(url).get(name):
        assert time.monotonic() < deadline, f"no {name}"
        time.sleep(0.2)


def test_the_rules_are_right_and_give_what_their_table_says() -> None:
    for command in (
        ["check", "rules", str(RULES)],
        ["test", "rules", str(Path(__file__).with_name("rules_test.yaml"))],
    ):
        done = subprocess.run(["promtool", *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "SUCCESS" in done.stdout


def test_the_files_of_the_local_stack_can_be_read_and_name_what_is_there() -> None:
    yaml: Any = importlib.import_module("yaml")
    files = {path.name: yaml.safe_load(path.read_text()) for path in LOCAL.rglob("*.y*ml")}
    assert set(files) == {"prometheus.yml", "prometheus.yaml", "loadgen.yaml"}
    (source,) = files["prometheus.yaml"]["datasources"]
    assert source["jsonData"]["timeInterval"] == files["prometheus.yml"]["global"]["scrape_interval"]
    (provider,) = files["loadgen.yaml"]["providers"]
    script = (LOCAL / "run").read_text()
    for value in (source["url"], provider["options"]["path"]):
        (variable,) = re.findall(r"\$(\w+)", value)
        assert f"{variable}=" in script
    subprocess.run(["bash", "-n", str(LOCAL / "run")], check=True)
