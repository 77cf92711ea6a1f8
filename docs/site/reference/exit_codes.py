"""The exit codes, with the numbers that the commands use."""

import signal
from collections.abc import Iterator

from docs.site.reference.tables import table_of
from loadgen.cli.wait import NOBODY
from loadgen.control.exit_codes import COMPLETE, INTERRUPTED, SHORT_OF
from loadgen.runtime.start_errors import CANNOT_START

MEANINGS = {
    f"{COMPLETE}": (
        "the whole plan ran, its record was written, every requirement was met, and failures stayed within "
        "`--max-failures`"
    ),
    f"{SHORT_OF}": (
        "it ran, and a requirement was missed, failures exceeded the limit, nothing was measured or nothing in one of "
        "the phases, the plan did not complete (users or workers gone, no success for `--give-up-after`, a condition "
        "of `--abort-when`, a dead server or event loop), inserted rows remain in an existing collection, or the "
        "record could not be kept"
    ),
    f"{CANNOT_START}": (
        "wrong settings, a locustfile that does not load, a port in use, or a server, data or worker that did not "
        "become ready: no load was sent"
    ),
    f"{NOBODY}": "`loadgen wait`: the master has ended, could not prepare its data, or never starts",
    f"{INTERRUPTED + signal.SIGINT}, {INTERRUPTED + signal.SIGTERM}": (
        "ended by SIGINT (Ctrl-C) or SIGTERM before the plan was complete; what was measured is kept and printed"
    ),
}


def list_exit_codes() -> Iterator[str]:
    """A table of all codes."""
    yield from table_of(("code", "meaning"), list(MEANINGS.items()))
