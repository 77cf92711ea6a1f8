"""Tests run in a process that Locust leaves alone, as its own commands do."""

from loadgen.runtime.patching import ensure_unpatched

ensure_unpatched()
