"""`loadgen doctor` itself: which checks, in which order, and what is printed."""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING, Any

from loadgen.cli.doctor.finding import CheckStatus, Finding, from_faults
from loadgen.cli.locustfiles import find_locustfiles
from loadgen.settings.faults import SettingsError
from loadgen.text.plain_text import lines

if TYPE_CHECKING:
    from loadgen.settings.model import Settings

WELL, ILL, REFUSED = 0, 1, 2
FILE_FLAGS = ("-f", "--locustfile")


def add_doctor(commands: Any) -> None:
    """`loadgen doctor`, which also accepts locust's flags."""
    text = "check what usually goes wrong before a big run, and say what to do; changes nothing"
    about = (
        f"{text}. Looks at packages, cores, other work, open files and proxies, and with --host at the way to Milvus, "
        "its version, its clock and the collection. Accepts the flags, variables and config files of the run itself, "
        "such as -f, --config, --host, --existing and --collection. Exit code 0: ready, 1: not ready"
    )
    usage = "loadgen doctor [--json] [flags of locust and of the run]"
    parser = commands.add_parser("doctor", help=text, description=about, usage=usage)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=_doctor, takes_rest=True)


def _doctor(given: argparse.Namespace) -> int:
    from loadgen.runtime.patching import ensure_unpatched

    ensure_unpatched()
    from loadgen.locust_plugin.command_line.reading import read_run
    from loadgen.runtime.start_errors import describe

    rest = list(given.rest)
    if not any(flag.partition("=")[0] in FILE_FLAGS for flag in rest) and "LOCUST_LOCUSTFILE" not in os.environ:
        rest = ["-f", str(find_locustfiles()["search"]), *rest]
    try:
        settings = read_run(rest, "loadgen doctor", needs_host=False)
    except SystemExit as error:  # Locust has reported why
        return REFUSED if error.code else WELL
    except SettingsError as error:
        others: Iterable[Finding] = from_faults("settings", error.faults)
    except RuntimeError as error:
        others = [Finding("locustfile", CheckStatus.BAD, str(error))]
    except Exception as error:  # noqa: BLE001 - such as a binary config file
        sys.stderr.write(lines(f"loadgen doctor: {describe(error, error.__traceback__)}\n"))
        return REFUSED
    else:
        others = check_server(settings)
    result = []
    for one in chain(check_machine(), others):
        result.append(one)
        if not given.json:
            print(one, flush=True)  # noqa: T201 - this is a command; those of a slow server come one by one
    return conclude(result, as_json=given.json)


def check_machine() -> Iterator[Finding]:
    """Whatever needs no server."""
    from loadgen.cli.doctor import machine

    yield from machine.check_packages()
    yield machine.check_loop()
    yield from machine.check_cores(machine.count_cores(), os.getloadavg()[0])
    yield machine.check_files()
    yield machine.check_proxies(os.environ)


def check_server(settings: "Settings") -> Iterator[Finding]:
    """Whatever needs it; what cannot be seen without an answer is left out after the reason for that."""
    from loadgen.cli.doctor import server
    from loadgen.milvus.server_metrics import ServerMetrics
    from loadgen.settings.addresses import split_addresses

    if not settings.host:
        remedy = "Name yours: loadgen doctor --host http://my-milvus:19530."
        yield Finding("server", CheckStatus.NOTE, "no --host: a run starts an embedded Milvus on this machine", remedy)
        return
    yield server.check_place(settings.host, server.list_addresses())
    yield from server.check_distance(settings.host)
    yield server.check_encryption(settings)
    answered, result = server.check_milvus(settings)
    yield from result
    if answered is None:
        return
    yield server.look_at_clock(settings)
    if settings.server_metrics:
        try:
            ServerMetrics(split_addresses(settings.server_metrics)).check()
        except SettingsError as error:
            yield from from_faults("metrics", error.faults)
        else:
            yield Finding("metrics", CheckStatus.OK, "Milvus's own metrics are served")
    yield from server.check_collection(settings)


def conclude(findings: Iterable[Finding], *, as_json: bool) -> int:
    """The last line, or all as JSON; the exit code."""
    counts = {status: sum(one.state is status for one in findings) for status in CheckStatus}
    if as_json:
        sys.stdout.write(json.dumps({"findings": [asdict(one) for one in findings], "counts": counts}, indent=1) + "\n")
    else:
        reported = "Ready." if not counts[CheckStatus.BAD] else "Not ready."
        notes = f"{counts[CheckStatus.NOTE]} note{'s' * (counts[CheckStatus.NOTE] != 1)}"
        print(f"{reported} {counts[CheckStatus.BAD]} to mend, {notes}, {counts[CheckStatus.OK]} ok.")  # noqa: T201 - this is a command
    return ILL if counts[CheckStatus.BAD] else WELL
