"""Fires Locust's events so that a failing listener affects nothing else."""

import logging
from collections.abc import Callable
from typing import Any

from locust.exception import StopTest

from loadgen.measure.errors import ErrorLog
from loadgen.text.masking import mask_secrets

logger = logging.getLogger(__name__)


class Listeners:
    """Calls the listeners of an event one by one, on the hub; whatever one of them raises, the next is called.

    Locust's own `fire` stops at the first one that raises StopUser or the like, assuming that it runs in the user's
    greenlet: later listeners, including Locust's own table, would miss the event.
    """

    def __init__(self, on_stop_test: Callable[[StopTest], object] = lambda _error: None) -> None:
        self.on_stop_test = on_stop_test
        """Called with the first StopTest that a listener raises."""
        self.errors = ErrorLog(logger)
        self._is_stopped = False

    def fire(self, hook: Any, **event: Any) -> None:
        """Call all listeners of an event, in their order, with these keywords."""
        for listener in hook._handlers.copy():  # noqa: SLF001 - Locust has no public list of them
            try:
                listener(**event)
            except BaseException as error:  # noqa: BLE001 - including SystemExit, which would end the queue to the hub
                self._fail(error)

    def fire_error(self, hook: Any, user: Any, error: BaseException) -> None:
        """Fire Locust's event of an exception in a task; a text with a secret is masked, as Locust's page shows it."""
        try:
            text = str(error)
        except Exception:  # noqa: BLE001 - third-party __str__
            text = ""
        masked = mask_secrets(text)
        shown = error if masked == text else RuntimeError(f"{type(error).__name__}: {masked}")
        self.fire(hook, user_instance=user, exception=shown, tb=error.__traceback__)

    def _fail(self, error: BaseException) -> None:
        if not isinstance(error, StopTest):
            self.errors.note(error, "A listener of the locustfile failed")
        elif not self._is_stopped:
            self._is_stopped = True
            self.on_stop_test(error)

    def begin(self) -> None:
        """Reset for another run, whose first StopTest counts again."""
        self._is_stopped = False

    def summarize(self) -> None:
        """Log how often listeners failed."""
        self.errors.summarize("Listeners of the locustfile failed")
