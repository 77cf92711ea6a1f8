"""Checks of Locust's own flags, before anything is forked or loaded.

The ports that the command will listen on must be free, and invalid values are reported before they cause a late error.
"""

import contextlib
import errno
import socket
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from loadgen.locust_plugin.command_line.arguments import read_settings
from loadgen.locust_plugin.preparation.result_settings import find_faults
from loadgen.locust_plugin.preparation.run_plan import find_closed_flags
from loadgen.results.record import check_folder
from loadgen.runtime.early_exit import leave
from loadgen.settings.addresses import HIGHEST_PORT
from loadgen.settings.conflicts import is_file
from loadgen.settings.faults import Fault, SettingsError

ANYWHERE = ("", "*")
"""Values for all interfaces in Locust's settings."""
LOOPBACK = "127.0.0.1"

FILES = {"html_file": "html", "json_file": "json_file", "csv_prefix": "csv", "logfile": "logfile"}
"""Options that name an output file, and their flags."""
CERTIFICATES = ("tls_cert", "tls_key")


class ListeningPort(NamedTuple):
    """A port that one part of Locust listens on."""

    setting: str
    host: str
    port: int
    what: str
    """What needs it, and for what."""


def bind_to_loopback(options: Namespace) -> None:
    """Restrict Locust's ports to this machine, where it would listen on all interfaces without being asked to.

    The page, unless an address is given or a login is required; and the port for workers, if only those that this
    process forks can be meant.
    """
    if not options.web_host and not options.web_login:
        options.web_host = LOOPBACK
    if options.processes and not (options.master or options.worker) and options.master_bind_host in ANYWHERE:
        options.master_bind_host = LOOPBACK


def refuse_flags(options: Namespace) -> None:
    """End the process if a port is unavailable or a flag of Locust has an invalid value.

    The message includes all other faults of the settings. Changes the addresses of `bind_to_loopback`.
    """
    bind_to_loopback(options)
    faults = [*find_port_faults(options), *find_flag_faults(options)]
    if not faults:
        return
    with contextlib.suppress(RuntimeError):
        faults += find_closed_flags(options)
        try:
            faults += find_faults(read_settings(options, options.host))
        except SettingsError as error:
            faults += error.faults
    leave(str(SettingsError(faults)))


def find_port_faults(options: Namespace) -> list[Fault]:
    """A fault for each port that is invalid, in use, not permitted, or used twice."""
    if options.list_commands or options.show_task_ratio or options.show_task_ratio_json:
        return []  # these only print
    if options.worker:
        result = _out_of_range("master_port", options.master_port)
        return [result] if result else []
    listening = list(_listening_ports(options))
    faults = [fault for one in listening if (fault := _find_fault(one)) is not None]
    faults += _find_doubles(listening, str(options.metrics_port).strip())
    if options.processes and options.master_bind_port != options.master_port:
        other = f"--master-port {options.master_port}"
        problem = f"is not the port on which the workers of --processes expect their master: {other}"
        faults.append(Fault("master_bind_port", str(options.master_bind_port), problem, "Give both the same port."))
    return faults


def _listening_ports(options: Namespace) -> Iterator[ListeningPort]:
    if options.master or options.processes:
        what = "Locust's master needs it for its workers"
        yield ListeningPort("master_bind_port", options.master_bind_host, options.master_bind_port, what)
    if options.headful or not options.headless:
        yield ListeningPort("web_port", options.web_host, options.web_port, "Locust's web page needs it")


def _out_of_range(setting: str, port: int) -> Fault | None:
    if 0 <= port <= HIGHEST_PORT:
        return None
    return Fault(setting, str(port), "is not a port", f"Give a number from 1 to {HIGHEST_PORT:,}.")


def _find_fault(listening: ListeningPort) -> Fault | None:
    if fault := _out_of_range(listening.setting, listening.port):
        return fault
    try:
        _listen(listening.host, listening.port)
    except socket.gaierror:
        return None  # perhaps the name of a network interface, which Locust accepts
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno == errno.EADDRNOTAVAIL:
            host = listening.setting.removesuffix("port") + "host"
            return Fault(host, listening.host, f"cannot be listened on ({reason})", "Use an address of this machine.")
        problem = f"cannot be listened on ({reason}), and {listening.what}"
        hint = f"Stop the process that uses it, or give another --{listening.setting.replace('_', '-')}."
        return Fault(listening.setting, str(listening.port), problem, hint)
    return None


def _listen(host: str, port: int) -> None:
    """Bind briefly, as Locust will. Raises OSError."""
    anywhere = host in ANYWHERE
    result = socket.getaddrinfo(None if anywhere else host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, kind, protocol, _, address in result:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
                probe.listen(1)
        except OSError as error:
            if not (anywhere and family == socket.AF_INET6 and error.errno != errno.EADDRINUSE):
                raise  # a machine without IPv6


def _find_doubles(listening: list[ListeningPort], metrics_port: str) -> Iterator[Fault]:
    """Ports that this command would use twice."""
    ports = [(one.setting, str(one.port)) for one in listening if one.port]
    for number, (setting, port) in enumerate(ports):
        for other in [name for name, given in ports[:number] if given == port]:
            problem = f"is also the port of --{other.replace('_', '-')}"
            yield Fault(setting, port, problem, "Use different ports.")
    for setting, port in ports:
        if port == metrics_port:
            yield Fault(
                "metrics_port", port, f"is also the port of --{setting.replace('_', '-')}", "Use different ports."
            )


def find_flag_faults(options: Namespace) -> list[Fault]:
    """A fault for each such flag with an invalid value."""
    return [*_users(options), *_outputs(options), *_certificates(options)]


def _users(options: Namespace) -> Iterator[Fault]:
    if options.num_users is not None and options.num_users < 1:
        yield Fault("users", str(options.num_users), "are no users", "Give a number from 1.")


def _outputs(options: Namespace) -> Iterator[Fault]:
    """Locust creates the folder of an output file; it cannot if a file is in the way or it lacks permission."""
    for name, flag in FILES.items():
        path = getattr(options, name)
        if path and (fault := check_folder(Path(path).parent)):
            yield fault._replace(setting=flag, value=path, hint="Name a file in a writable folder.")


def _certificates(options: Namespace) -> Iterator[Fault]:
    """TLS files of the page: Locust would listen, but serve nothing."""
    for name in CERTIFICATES:
        path = getattr(options, name)
        if path and not is_file(path):
            yield Fault(name, path, "is not a file", "Give the path of a PEM file.")
