"""The sink that shows every sample to Locust: its table, its CSV files, its web UI."""

from collections.abc import Sequence
from typing import Any

from loadgen.clients.outcomes import describe, mask_numbers
from loadgen.sample import Sample

TEXTS = 50
"""Different texts of failures that Locust's table may grow to."""


class OperationError(Exception):
    """What Locust's table of failures shows: the outcome and one short line."""


class RequestEvent:
    """Fires Locust's `request` event, once for each sample, on the hub."""

    def __init__(self, events: Any) -> None:
        self._fire = events.request.fire
        self._texts: dict[str, str] = {}

    def __call__(self, samples: Sequence[Sample]) -> None:
        """Request type is the mode, name the operation, time in unrounded milliseconds, length the rows."""
        for sample in samples:
            self._fire(
                request_type=sample.mode.value,
                name=sample.operation,
                response_time=sample.response_seconds * 1000,
                response_length=sample.rows,
                response=None,
                context={},
                exception=None if sample.error is None else self._failure(sample),
            )

    def _failure(self, sample: Sample) -> OperationError:
        text = f"{sample.outcome}: {describe(sample.error)}" if sample.error else str(sample.outcome)
        kind = mask_numbers(text)  # the sizes of messages beyond a limit differ a little: the first one stands for all
        if kind not in self._texts and len(self._texts) >= TEXTS:
            kind = text = f"{sample.outcome}: other texts"
        return OperationError(self._texts.setdefault(kind, text))
