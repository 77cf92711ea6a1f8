"""What the manifest says of settings, command, machine and packages, and what it keeps to itself."""

import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from pydantic import SecretStr

from loadgen.results.record import describe_machine, mask_command_line, package_versions, settings_without_secrets
from loadgen.settings.model import Settings


def test_settings_are_told_without_the_token_and_without_a_password_in_the_address() -> None:
    settings = Settings(token=SecretStr("root:hidden"), host="http://root:hidden@there:19530", dim=64)
    reported = settings_without_secrets(settings)
    assert "hidden" not in json.dumps(reported)
    assert set(reported) == set(Settings.model_fields) - {"token"}
    assert (reported["host"], reported["dim"], reported["concurrency"]) == ("http://***@there:19530", 64, [1, 8, 32])


@pytest.mark.parametrize(
    ("given", "reported"),
    [
        ("locust -f search.py --headless", "locust -f search.py --headless"),
        ("locust --token hidden -u 3", "locust --token '***' -u 3"),
        ("locust --token=hidden -u 3", "locust '--token=***' -u 3"),
        ("locust --token --token hidden", "locust --token '***' hidden"),
        ("locust --token=a=hidden=b", "locust '--token=***'"),
        ("locust --host http://root:hidden@there:1", "locust --host 'http://***@there:1'"),
        ("locust --host=https://root:hid@den@there:1", "locust '--host=https://***@there:1'"),
        ("locust --host=http://root:a=hidden@there", "locust '--host=http://***@there'"),
        ("locust -Hhttp://root:hidden@there", "locust '-Hhttp://***@there'"),
        ("locust -H root:hidden@there", "locust -H '***@there'"),
        ("locust -Hroot:hidden@there", "locust '-H***@there'"),
        ("locust --host=root:hidden@there", "locust '--host=***@there'"),
        ("locust --tags slow --top-k 3 -t 10s", "locust --tags slow --top-k 3 -t 10s"),
    ],
)
def test_a_command_line_is_told_with_its_secrets_masked(given: str, reported: str) -> None:
    assert mask_command_line(given.split()) == reported


@pytest.mark.parametrize(
    ("given", "reported"),
    [
        ("locust --llm-key hidden -u 3", "locust --llm-key '***' -u 3"),
        ("locust --llm-key=hidden -u 3", "locust '--llm-key=***' -u 3"),
        ("locust --llm hidden", "locust --llm '***'"),
        ("locust --ll=hidden", "locust '--ll=***'"),
        ("locust -k hidden --headless", "locust -k '***' --headless"),
        ("locust -khidden", "locust '-k***'"),
        ("locust -- hidden --llm-keys shown", "locust -- hidden --llm-keys shown"),
    ],
)
def test_secrets_of_the_locustfiles_own_are_masked_too(given: str, reported: str) -> None:
    assert mask_command_line(given.split(), ("--llm-key", "-k")) == reported


def test_a_run_by_name_is_told_as_it_was_typed() -> None:
    arguments = ["loadgen run search", "--require", "search p99 < 50 ms", "--token", "hidden"]
    assert mask_command_line(arguments) == "loadgen run search --require 'search p99 < 50 ms' --token '***'"
    assert mask_command_line(["/my dir/locust"]) == "'/my dir/locust'"


def test_a_command_line_can_be_pasted_into_a_shell() -> None:
    arguments = ["locust", "--require", "search async p99 < 50 ms"]
    assert mask_command_line(arguments) == "locust --require 'search async p99 < 50 ms'"


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("processor\t: 0\nmodel\t\t: 85\nmodel name\t: Intel(R) Xeon(R) Processor @ 2.9GHz \n", "Intel(R) Xeon(R) Processor @ 2.9GHz"),  # noqa: E501
        ("processor\t: 0\nBogoMIPS\t: 50\nModel\t\t: Raspberry Pi 4 Model B\n", "Raspberry Pi 4 Model B"),
        ("processor\t: 0\nCPU implementer\t: 0x41\n", platform.processor() or platform.machine()),
    ],
)  # fmt: skip
def test_the_cpu_is_named_as_the_system_names_it(text: str, model: str, tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(text)
    assert describe_machine(path).cpu_model == model


def test_the_machine_is_described_also_where_the_system_tells_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sysconf", lambda _: -1)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    machine = describe_machine(tmp_path / "no such file")
    assert machine.cpu_model == (platform.processor() or platform.machine())
    assert machine.cpu_count == os.cpu_count()
    assert machine.python.split()[1] == sys.version.split()[0]


def test_memory_is_that_of_the_whole_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}.__getitem__)
    assert describe_machine().memory_bytes == 4_096_000

    def unknown(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr(os, "sysconf", unknown)
    assert describe_machine().memory_bytes is None


def test_versions_are_those_installed_and_absent_packages_are_left_out() -> None:
    reported = package_versions(["pymilvus", "no-such-package-of-ours", "locust"])
    assert reported == {"pymilvus": version("pymilvus"), "locust": version("locust")}
