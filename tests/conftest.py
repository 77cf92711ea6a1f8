"""Tests run in a process that Locust leaves alone, as its own commands do, and are the same at each run."""

import signal
from pathlib import Path

import pytest
from hypothesis import settings

from loadgen.runtime.patching import ensure_unpatched

ensure_unpatched()
# A shell has its background jobs ignore Ctrl-C, and what a job starts inherits that: here a test may press it anyway.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Machines that tests run on are busy with other work, so no example has a deadline. `--hypothesis-profile default`
# looks for other examples at each run.
settings.register_profile("house", derandomize=True, deadline=None, database=None)
settings.load_profile("house")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have `--dist loadgroup` give away each test that waits for a server by itself, and others by the file.

    Tests that share a fixture of their module stay together. These come first, as their groups take longest, and what
    takes no time at all comes last: so all processes end at about the same time.
    """
    for item in items:
        if not waits(item) or shares_with_module(item):
            item.add_marker(pytest.mark.xdist_group(Path(item.path).stem))
    items.sort(key=lambda item: (not waits(item), not shares_with_module(item)))


def waits(item: pytest.Item) -> bool:
    """Whether this is a test with servers and commands."""
    return item.path.parent.name == "integration"


def shares_with_module(item: pytest.Item) -> bool:
    """Whether one of its fixtures is made once for its module."""
    fixtures = getattr(item, "_fixtureinfo").name2fixturedefs.values()  # noqa: B009 - there is no public way to ask
    return any(found[-1].scope == "module" for found in fixtures)
