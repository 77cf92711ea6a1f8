"""Which metrics a process serves, by its part in the run."""

import socket
from argparse import Namespace
from typing import Any
from unittest.mock import Mock

import pytest
from locust.runners import LocalRunner, MasterRunner, WorkerRunner
from prometheus_client import CollectorRegistry

from loadgen.exporters import Role, serve
from loadgen.locust_plugin.metrics_endpoint import MetricsEndpoint
from loadgen.settings.model import Settings


def runner_of(kind: type[Any]) -> Any:
    """What is asked for its class alone."""
    return Mock(spec=kind)


def options(port: str) -> Namespace:
    return Namespace(metrics_port=port, metrics_bind="127.0.0.1", metrics_targets="", metrics_linger="0", otlp="")


@pytest.mark.parametrize("kind", [LocalRunner, WorkerRunner, MasterRunner])
def test_without_a_port_no_sample_is_counted_and_the_end_does_not_wait(kind: type[Any]) -> None:
    metering = MetricsEndpoint(runner_of(kind))
    assert metering.open(options("off")) == ()
    metering.close()


@pytest.mark.parametrize(("kind", "role"), [(LocalRunner, "local"), (WorkerRunner, "worker"), (MasterRunner, "master")])
def test_a_process_knows_its_part_in_the_run(kind: type[Any], role: str) -> None:
    assert MetricsEndpoint(runner_of(kind)).exporter.role == role


def test_every_thing_is_told_by_one_part_of_a_run() -> None:
    assert [role for role in Role if role.makes_load] == [Role.LOCAL, Role.WORKER]
    assert [role for role in Role if role.leads] == [Role.LOCAL, Role.MASTER]


def test_wrong_settings_of_a_worker_end_it_with_all_faults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reported: list[str] = []

    def leave(text: str) -> None:
        reported.append(text)
        raise SystemExit(2)

    monkeypatch.setattr("loadgen.locust_plugin.metrics_endpoint.leave", leave)
    wrong = options("http")
    wrong.metrics_linger = "-1"
    with pytest.raises(SystemExit):
        MetricsEndpoint(runner_of(WorkerRunner)).open(wrong)
    assert reported[0].startswith("2 settings are wrong")


@pytest.mark.parametrize(
    ("in_pod", "bind", "place", "end"),
    [
        (False, "127.0.0.1", "at http://127.0.0.1:{}/metrics", "; Ctrl-C ends it"),
        (True, "127.0.0.1", "at http://127.0.0.1:{}/metrics", ""),
        (False, "0.0.0.0", "at http://127.0.0.1:{}/metrics", "; Ctrl-C ends it"),  # noqa: S104
        (True, "0.0.0.0", "on port {} of this pod", ""),  # noqa: S104
    ],
)
def test_the_log_says_where_metrics_are_in_words_that_fit_the_place(
    in_pod: bool, bind: str, place: str, end: str, request: pytest.FixtureRequest
) -> None:
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    caplog: pytest.LogCaptureFixture = request.getfixturevalue("caplog")
    if in_pod:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    caplog.set_level("INFO")
    metering = MetricsEndpoint(runner_of(LocalRunner))
    given = options("0")
    given.metrics_bind, given.metrics_linger = bind, "9"
    assert len(metering.open(given)) == 1
    metering.exporter.settings = Settings()
    metering.announce_end()
    endpoint = metering._endpoint
    assert endpoint is not None
    endpoint.close()
    where = place.format(endpoint.port)
    assert caplog.messages == [f"Metrics are {where}", f"Metrics stay {where} for 9 s{end}"]


def test_metrics_on_all_interfaces_answer_over_both_families() -> None:
    endpoint = serve(CollectorRegistry(), "*", 0)
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as client:
            client.settimeout(5)
            assert client.connect_ex((host, endpoint.port)) == 0
    endpoint.close()
