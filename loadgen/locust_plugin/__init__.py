"""How Locust drives Milvus: one call in a locustfile, `plug(events)`, wires all listeners to one run."""

from typing import Any

from loadgen.locust_plugin.command_line.arguments import check_defaults
from loadgen.locust_plugin.command_line.locust_flags import refuse_flags
from loadgen.locust_plugin.plugin import Plugin
from loadgen.locust_plugin.preparation.prologue import Prologue
from loadgen.locust_plugin.process import prepare_process
from loadgen.runtime.patching import is_locust_command

__all__ = ["plug", "prepare_command"]


def plug(events: Any, *, prologue: Prologue | None = None, **defaults: object) -> None:
    """Make Locust drive Milvus: `plug(events)` once in a locustfile, optionally with defaults for settings.

    The prologue runs in the process that conducts the run, once the server and the data are ready, before any load.

    Several locustfiles may be loaded together; their defaults must not contradict each other (ValueError). Raises
    SettingsError for an unknown setting or an invalid value.
    """
    if is_locust_command():
        prepare_command()
    check_defaults(defaults)
    plugin = getattr(events, "loadgen", None)
    if plugin is None:
        plugin = events.loadgen = Plugin(events)
    plugin.take_defaults(defaults)
    if prologue is not None:
        events.loadgen_prologue = prologue


def prepare_command() -> None:
    """Make the `locust` command of this process report start errors in one line. Idempotent."""
    prepare_process(refuse_flags)
