"""The settings of a run, read as the `locust` command reads them, without starting it."""

from collections.abc import Sequence

from locust.argument_parser import get_locustfiles_locally, get_parser, parse_locustfile_option
from locust.util.load_locustfile import load_locustfile

from loadgen.faults import Fault, SettingsError
from loadgen.plugin.arguments import read_settings
from loadgen.plugin.ending import find_faults
from loadgen.settings import Settings


def read_run(arguments: Sequence[str]) -> Settings:
    """What `locust` with these arguments would run with: locustfile's defaults, config file, variables, flags.

    Imports the locustfile, with what that does, and takes Locust's way out (SystemExit, 2) where it cannot parse.
    Raises SettingsError with every fault, RuntimeError where the locustfile does not call `plug`.
    """
    for path in get_locustfiles_locally(parse_locustfile_option(arguments)):
        load_locustfile(path)
    options = get_parser().parse_args(arguments)
    settings = read_settings(options, options.host)
    faults = find_faults(settings)
    if not settings.host:
        faults.append(Fault("host", "", "is missing", "Give the address of Milvus, such as http://my-milvus:19530."))
    if faults:
        raise SettingsError(faults)
    return settings
