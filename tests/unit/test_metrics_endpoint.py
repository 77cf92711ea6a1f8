"""Which metrics a process serves, by its part in the run."""

from argparse import Namespace
from typing import Any
from unittest.mock import Mock

import pytest
from locust.runners import LocalRunner, MasterRunner, WorkerRunner

from loadgen.exporters import Role
from loadgen.locust_plugin.metrics_endpoint import MetricsEndpoint


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
    told: list[str] = []

    def leave(text: str) -> None:
        told.append(text)
        raise SystemExit(2)

    monkeypatch.setattr("loadgen.locust_plugin.metrics_endpoint.leave", leave)
    wrong = options("http")
    wrong.metrics_linger = "-1"
    with pytest.raises(SystemExit):
        MetricsEndpoint(runner_of(WorkerRunner)).open(wrong)
    assert told[0].startswith("2 settings are wrong")
