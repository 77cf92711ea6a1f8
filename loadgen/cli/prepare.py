"""`loadgen prepare`: wait for Milvus and load the data for a later run."""

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any, Never

from loadgen.cli.heartbeat import Heartbeat, PreparationStatus
from loadgen.cli.lengths import port_number, seconds
from loadgen.settings.faults import Fault, SettingsError
from loadgen.text.plain_text import lines, one_line

if TYPE_CHECKING:
    from loadgen.milvus.store import ServerInfo
    from loadgen.settings.model import Settings

DONE, REFUSED, INTERRUPTED = 0, 2, 130
RETRY_SECONDS = 2.0
SHIELD_SECONDS = 4.0


def add_prepare(commands: Any) -> None:
    """`loadgen prepare`, which also accepts locust's flags."""
    text = "wait for Milvus and load the data of a later run"
    about = f"{text}. Accepts the flags, variables and config files of the run itself, such as -f, --config and --host"
    usage = "loadgen prepare [--wait SECONDS] [--heartbeat PORT] [flags of locust and of the run]"
    parser = commands.add_parser("prepare", help=text, description=about, usage=usage)
    parser.add_argument(
        "--wait", type=seconds, default=0.0, metavar="SECONDS", help="maximum time to wait for Milvus [default: 0]"
    )
    text = (
        "port on which workers learn whether the preparation goes on or has failed; see `loadgen wait` [default: none]"
    )
    parser.add_argument("--heartbeat", type=port_number, metavar="PORT", help=text)
    parser.set_defaults(command=_prepare, takes_rest=True)


def _prepare(given: argparse.Namespace) -> int:
    """Exit code 0: the collection contains exactly the data; 2: loading failed; 130: interrupted."""
    from loadgen.runtime.early_exit import before_leaving
    from loadgen.runtime.patching import ensure_unpatched

    ensure_unpatched()
    if given.heartbeat is None:
        return _end_of(given)
    try:
        heartbeat = Heartbeat(given.heartbeat)
    except OSError as error:
        hint = "End what listens there, or give another port."
        sys.stderr.write(
            one_line(f"loadgen prepare: --heartbeat {given.heartbeat}: {os.strerror(error.errno or 0)}. {hint}") + "\n"
        )
        return REFUSED
    with heartbeat:
        before_leaving(heartbeat.say_goodbye)
        code = _end_of(given, heartbeat)
        if code != DONE:
            heartbeat.say_goodbye()
    return code


def _end_of(given: argparse.Namespace, heartbeat: Heartbeat | None = None) -> int:
    from loadgen.runtime.start_errors import describe

    try:
        return _run(given.rest, given.wait, heartbeat)
    except KeyboardInterrupt:
        if heartbeat is not None:
            heartbeat.parting = PreparationStatus.INTERRUPTED
        sys.stderr.write("Interrupted before the data were prepared.\n")
        return INTERRUPTED
    except SystemExit as error:  # Locust has reported why: no such file, or invalid flags
        return REFUSED if error.code else DONE
    except (SettingsError, RuntimeError) as error:  # StoreError is one
        sys.stderr.write(lines(f"loadgen prepare: {error}\n"))
        return REFUSED
    except Exception as error:  # noqa: BLE001 - such as a binary config file
        sys.stderr.write(lines(f"loadgen prepare: {describe(error, error.__traceback__)}\n"))
        return REFUSED


def _run(arguments: Sequence[str], wait: float, heartbeat: Heartbeat | None) -> int:
    """Work on a thread, so this one can receive signals. Raises SettingsError, RuntimeError, KeyboardInterrupt."""
    from loadgen.locust_plugin.command_line.reading import read_run
    from loadgen.results.record.object_store import probe_store
    from loadgen.runtime.early_exit import leave

    for number in (signal.SIGINT, signal.SIGTERM):  # process 1 of a container would ignore them
        signal.signal(number, _interrupt)
    settings = read_run(arguments, "loadgen prepare")
    if settings.dry_run:
        raise SettingsError([Fault("dry_run", "", "is for locust: this command loads data", "Omit it.")])
    shield = threading.Lock()
    failed: list[BaseException] = []

    def work() -> None:
        try:
            if settings.record_url:  # before hours of loading
                probe_store(settings.record_url)
            await_server(settings, wait)
            _load(settings, shield)
        except BaseException as error:  # noqa: BLE001 - raised again below
            failed.append(error)

    thread = threading.Thread(target=work, name="loadgen-prepare", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.2)
    except KeyboardInterrupt:
        if heartbeat is not None:
            heartbeat.parting = PreparationStatus.INTERRUPTED
        shield.acquire(timeout=SHIELD_SECONDS)  # a collection that is just being made gets its manifest
        leave("Interrupted while the data were prepared.", INTERRUPTED)
    if failed:
        raise failed[0]
    return DONE


def await_server(settings: "Settings", seconds: float, look: "Callable[[Settings], ServerInfo] | None" = None) -> None:
    """Return as soon as Milvus answers. Raises SettingsError if it does not within these seconds.

    Raises immediately what waiting cannot fix, a wrong token or database. `look` is `check_server`, for tests.
    """
    from loadgen.milvus.store import check_server

    end = time.perf_counter() + seconds
    while True:
        try:
            (look or check_server)(settings)
        except SettingsError as error:
            if time.perf_counter() >= end or any(fault.setting != "host" for fault in error.faults):
                raise
            _say(f"Waiting for Milvus: {error.faults[0].problem}")
        else:
            return
        time.sleep(min(RETRY_SECONDS, max(0.0, end - time.perf_counter())))


def _load(settings: "Settings", shield: threading.Lock) -> None:
    if settings.existing:
        from loadgen.locust_plugin.preparation.existing_collections import inspect_existing

        inspect_existing(settings, _say, writes=False)
        _say("Nothing was prepared: an existing collection is measured as it is")
        return
    from loadgen.locust_plugin.preparation.llm_server import RunLlmServer, needs_server
    from loadgen.locust_plugin.preparation.variant_setup import open_own, resolve_data
    from loadgen.milvus.store import Lease, prepare
    from loadgen.runtime.early_exit import before_leaving

    settings = resolve_data(settings, operations=())  # nobody asks a language model
    lease, server = Lease(settings, "prepares the data", _say), RunLlmServer()
    before_leaving(lease.release)
    before_leaving(server.stop)
    try:
        if needs_server(settings):
            settings = settings.model_copy(update={"simulated_url": server.start()})
        prepared = prepare(settings, open_own(settings), _say, shield, lease)
    finally:
        lease.release()
        server.stop()
    _say(f"The collection is ready: {prepared}")


def _interrupt(_number: int, _frame: FrameType | None) -> Never:
    """End once."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _say(line: object) -> None:
    print(one_line(line), flush=True)  # noqa: T201 - this is a command
