"""The settings of a run, read as the `locust` command reads them, without starting it."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from locust.argument_parser import get_locustfiles_locally, get_parser, parse_locustfile_option
from locust.util.load_locustfile import load_locustfile

from loadgen.locust_plugin.command_line.arguments import read_settings
from loadgen.locust_plugin.preparation.result_settings import find_faults
from loadgen.locust_plugin.process import require_plug
from loadgen.runtime.start_errors import describe
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings


def read_run(arguments: Sequence[str], program: str, *, needs_host: bool = True) -> Settings:
    """The settings of `locust` with these arguments: locustfile's defaults, config file, variables, flags.

    Imports the locustfile, with all side effects. Exits as Locust does (SystemExit) if there is no such file or the
    flags are invalid; its message begins with `program`. Raises SettingsError with every fault, RuntimeError if the
    locustfile cannot be imported.
    """
    with _named(program):
        return _read(arguments, needs_host=needs_host)


@contextmanager
def _named(program: str) -> Iterator[None]:
    """Locust's parsers have the name of their command from `sys.argv`."""
    before = sys.argv[:1]
    sys.argv[:1] = [program]
    try:
        yield
    finally:
        sys.argv[:1] = before


def _read(arguments: Sequence[str], *, needs_host: bool) -> Settings:
    paths = get_locustfiles_locally(parse_locustfile_option(arguments))
    everyone = [kind for path in paths for kind in _load(path)]
    if not everyone:
        hint = "Derive one from loadgen.AsyncUser or loadgen.SyncUser, with a @task."
        raise SettingsError([Fault("locustfile", ",".join(paths), "has no user class", hint)])
    require_plug()
    options = get_parser().parse_args(arguments)
    settings = read_settings(options, options.host)
    faults = find_faults(settings, everyone)
    if needs_host and not settings.host:
        faults.append(Fault("host", "", "is missing", "Give the address of Milvus, such as http://my-milvus:19530."))
    if faults:
        raise SettingsError(faults)
    return settings


def _load(path: str) -> list[type[Any]]:
    """Import a locustfile; returns its users. Raises RuntimeError with the cause and its line."""
    try:
        users, _ = load_locustfile(path)
    except (Exception, SystemExit) as error:
        raise RuntimeError(describe(error, error.__traceback__)) from error
    return list(users.values())
