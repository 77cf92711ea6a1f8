"""Tests run in a process that Locust leaves alone, as its own commands do, and are the same at each run."""

import os
import signal

from hypothesis import settings

from loadgen.runtime.patching import ensure_unpatched

ensure_unpatched()
# Threads of the linear algebra that wait for each other on busy cores make small matrices three times as slow.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# A shell has its background jobs ignore Ctrl-C, and what a job starts inherits that: here a test may press it anyway.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Machines that tests run on are busy with other work, so no example has a deadline. `--hypothesis-profile default`
# looks for other examples at each run.
settings.register_profile("house", derandomize=True, deadline=None, database=None)
settings.load_profile("house")
