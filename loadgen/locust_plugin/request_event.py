"""The sink that shows every sample to Locust: its table, its CSV files, its web UI."""

from collections import deque
from collections.abc import Sequence
from typing import Any

from loadgen.clients.outcomes import describe, mask_numbers
from loadgen.measure.sample import Sample
from loadgen.users.listeners import Listeners

TEXTS = 50
"""Different texts of failures that Locust's table may grow to."""


class OperationError(Exception):
    """What Locust's table of failures shows: the outcome and one short line."""


class RequestEvent:
    """Fires Locust's `request` event, once for each sample, on the hub.

    Where a listener waits, another call goes on with the samples after it, so each is there for Locust's table in time.
    """

    def __init__(self, events: Any, listeners: Listeners | None = None) -> None:
        self._hook = events.request
        self._listeners = listeners or Listeners()
        self._texts: dict[str, str] = {}
        self._waiting: deque[Sample] = deque()

    def __call__(self, samples: Sequence[Sample]) -> None:
        """Request type is the variant, name the operation, time in unrounded milliseconds, length the rows.

        Locust adds all rows of its table up, so those that are part of other operations are not shown there.
        """
        waiting, fire, hook = self._waiting, self._listeners.fire, self._hook
        waiting.extend(sample for sample in samples if not sample.nested)
        while waiting:
            sample = waiting.popleft()
            fire(
                hook,
                request_type=sample.variant,
                name=sample.operation,
                response_time=sample.response_seconds * 1000,
                response_length=sample.rows,
                response=None,
                context={},
                exception=None if sample.error is None else self._failure(sample, sample.error),
            )

    def _failure(self, sample: Sample, error: BaseException) -> OperationError:
        try:
            text = f"{sample.outcome}: {describe(error)}"
        except Exception:  # noqa: BLE001 - a foreign exception that cannot be put into words
            text = f"{sample.outcome}: {type(error).__name__}"
        kind = mask_numbers(text)  # the sizes of messages beyond a limit differ a little: the first one stands for all
        if kind not in self._texts and len(self._texts) >= TEXTS:
            kind = text = f"{sample.outcome}: other texts"
        return OperationError(self._texts.setdefault(kind, text))
