"""The record and the report in object storage, sent by a thread of its own: nothing that is measured waits for it."""

import logging
import threading
import time
from pathlib import Path

from loadgen.results.record.object_store import ObjectStore, ObjectStoreError, describe

FINISH_SECONDS = 20.0
"""Maximum time for the last state at the end of a run: a container gets 60 s to end."""
RETRY_SECONDS = 2.0
LONGEST_RETRY_SECONDS = 30.0
HURRIED_RETRY_SECONDS = 0.5

logger = logging.getLogger("loadgen")


class RecordUpload:
    """Of one run. The latest state of each file is stored; those before it may be skipped. Without a URL it rests."""

    def __init__(self, url: str, retry_seconds: float = RETRY_SECONDS) -> None:
        self.url = url
        self._retry_seconds = retry_seconds
        self._changed = threading.Condition()
        self._waiting: dict[Path, int] = {}
        """Files whose latest state is not stored, with the number of that state."""
        self._states = 0
        self._thread: threading.Thread | None = None
        self._closed = self._hurries = False
        self._reason = ""

    @property
    def problem(self) -> str:
        """Why the latest state is not stored; empty if it is."""
        with self._changed:
            names = " and ".join(path.name for path in self._waiting)
            return f"{names} cannot be stored in {self.url}: {self._reason or 'no answer in time'}" if names else ""

    def store(self, path: Path | None) -> None:
        """Store this file as it is then; returns at once."""
        if not self.url or path is None:
            return
        with self._changed:
            self._states += 1
            self._waiting[path] = self._states
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="loadgen-record-upload", daemon=True)
                self._thread.start()

    def finish(self, seconds: float = FINISH_SECONDS) -> None:
        """Wait until all is stored, at most so long. Blocks: call it on a thread."""
        with self._changed:
            self._hurries = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._waiting, seconds)
            self._hurries = False

    def close(self) -> None:
        """Store nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def tell(self, name: str) -> str:
        """A line on where the record is."""
        problem = self.problem
        return f"Not stored: {problem}" if problem else f"Stored: {self.url.rstrip('/')}/{name}"

    def _work(self) -> None:
        store: ObjectStore | None = None
        failures = 0
        while (following := self._wait_for_next()) is not None:
            path, version = following
            try:
                content = path.read_bytes()
                store = store or ObjectStore(self.url)
                store.write(path.name, content)
            except (OSError, ObjectStoreError) as error:
                delay = min(self._retry_seconds * 2.0**failures, LONGEST_RETRY_SECONDS)
                failures += 1
                self._fail(describe(error), delay)
            else:
                failures = 0
                self._succeed(path, version)

    def _wait_for_next(self) -> tuple[Path, int] | None:
        """A file and its version; it keeps its place until it is stored. None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._waiting))
            return None if self._closed else next(iter(self._waiting.items()))

    def _fail(self, reason: str, delay: float) -> None:
        """Report the first of several failures, and wait; at the end of the run only briefly."""
        with self._changed:
            if not self._reason:
                logger.warning("The run record is not stored in %s: %s. It is tried again", self.url, reason)
            self._reason = reason
            self._changed.wait_for(lambda: self._closed or self._hurries, delay)
        time.sleep(min(delay, HURRIED_RETRY_SECONDS))

    def _succeed(self, path: Path, version: int) -> None:
        with self._changed:
            if self._waiting.get(path) == version:  # no later state has come meanwhile
                del self._waiting[path]
            if self._reason:
                logger.info("The run record is stored in %s again", self.url)
            self._reason = ""
            self._changed.notify_all()
