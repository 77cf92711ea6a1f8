"""Ports that a command is about to listen on, looked at before anything else happens."""

import socket
from argparse import Namespace
from collections.abc import Iterator

import pytest

from loadgen.locust_plugin.command_line.locust_flags import bind_to_loopback, find_port_faults


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def options(**given: object) -> Namespace:
    quiet = {"list_commands": False, "show_task_ratio": False, "show_task_ratio_json": False}
    role = {"master": False, "worker": False, "processes": None, "headless": True, "headful": False}
    bind = {"master_bind_host": "127.0.0.1", "master_bind_port": 0, "master_port": 0, "web_host": "127.0.0.1"}
    return Namespace(**(quiet | role | bind | {"web_port": 0, "metrics_port": "9646"} | given))


def test_what_is_free_or_not_wanted_is_no_fault(taken: int) -> None:
    assert find_port_faults(options(master_bind_port=taken, web_port=taken)) == []
    assert find_port_faults(options(headless=False, master=True)) == []
    assert find_port_faults(options(worker=True, headless=False, web_port=taken)) == []
    assert find_port_faults(options(headless=False, web_port=taken, list_commands=True)) == []


@pytest.mark.parametrize("role", [{"master": True}, {"processes": 2}])
def test_every_taken_port_is_told_with_who_needs_it(role: dict[str, object], taken: int) -> None:
    both = options(headless=False, web_port=taken, master_bind_port=taken, master_port=taken, **role)
    assert [str(fault) for fault in find_port_faults(both)] == [
        (
            f"--master-bind-port {taken}: cannot be listened on (Address already in use), and Locust's master needs it "
            "for its workers. Stop the process that uses it, or give another --master-bind-port."
        ),
        (
            f"--web-port {taken}: cannot be listened on (Address already in use), and Locust's web page needs it. "
            "Stop the process that uses it, or give another --web-port."
        ),
        f"--web-port {taken}: is also the port of --master-bind-port. Use different ports.",
    ]


def test_a_port_taken_at_one_address_is_taken_for_all(taken: int) -> None:
    for anywhere in ("", "*"):
        (fault,) = find_port_faults(options(master=True, master_bind_host=anywhere, master_bind_port=taken))
        assert (fault.setting, fault.value) == ("master_bind_port", str(taken))


@pytest.mark.parametrize(
    ("given", "setting", "value"),
    [
        ({"headful": True, "web_port": 70_000}, "web_port", "70000"),
        ({"master": True, "master_bind_port": -5}, "master_bind_port", "-5"),
        ({"worker": True, "master_port": 65_536}, "master_port", "65536"),
        ({"headless": False, "web_host": "192.0.2.7"}, "web_host", "192.0.2.7"),
        ({"headless": False, "web_port": 8123, "metrics_port": " 8123"}, "metrics_port", "8123"),
        ({"processes": 2, "master_port": 5557}, "master_bind_port", "0"),
    ],
)
def test_what_cannot_be_is_a_fault_of_its_setting(given: dict[str, object], setting: str, value: str) -> None:
    assert [(fault.setting, fault.value) for fault in find_port_faults(options(**given))] == [(setting, value)]


def test_a_name_that_only_locust_may_know_is_left_to_it() -> None:
    assert find_port_faults(options(master=True, master_bind_host="no such host")) == []


@pytest.mark.parametrize(
    ("given", "web", "master"),
    [
        ({"web_host": ""}, "127.0.0.1", "*"),
        ({"web_host": "", "web_login": True}, "", "*"),
        ({"web_host": "*"}, "*", "*"),
        ({"web_host": "192.0.2.7"}, "192.0.2.7", "*"),
        ({"web_host": "", "processes": 2}, "127.0.0.1", "127.0.0.1"),
        ({"web_host": "*", "processes": -1}, "*", "127.0.0.1"),
        ({"web_host": "", "processes": 2, "master": True}, "127.0.0.1", "*"),
        ({"web_host": "", "processes": 2, "master_bind_host": "192.0.2.7"}, "127.0.0.1", "192.0.2.7"),
        ({"web_host": "", "master": True}, "127.0.0.1", "*"),
    ],
)
def test_without_a_login_or_an_address_the_page_is_on_loopback_and_so_is_the_port_of_forked_workers(
    given: dict[str, object], web: str, master: str
) -> None:
    result = options(**({"web_login": False, "master_bind_host": "*"} | given))
    bind_to_loopback(result)
    assert (result.web_host, result.master_bind_host) == (web, master)
