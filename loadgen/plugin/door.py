"""The way into Locust: one call in a locustfile."""

from typing import Any

from loadgen.plugin.plugin import Plugin


def plug(events: Any, **defaults: object) -> None:
    """Make Locust drive Milvus: `plug(events)` once in a locustfile, with its own defaults for settings.

    Several locustfiles may be loaded together; their defaults must not contradict each other (ValueError).
    """
    plugin = getattr(events, "loadgen", None)
    if plugin is None:
        plugin = events.loadgen = Plugin(events)
    plugin.take_defaults(defaults)
