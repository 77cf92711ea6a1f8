"""All of Locust's listeners, wired to one run."""

from loadgen.plugin.door import plug

__all__ = ["plug"]
