"""All of Locust's listeners, wired to one run."""

from loadgen.locust_plugin.door import plug, prepare_command

__all__ = ["plug", "prepare_command"]
