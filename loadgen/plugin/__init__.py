"""All of Locust's listeners, wired to one run."""

from loadgen.plugin.plug import plug

__all__ = ["plug"]
