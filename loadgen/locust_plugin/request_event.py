"""The sink that shows every sample to Locust: its table, its CSV files, its web UI."""

from collections import deque
from collections.abc import Sequence
from typing import Any

from loadgen.clients.outcomes import describe, mask_numbers
from loadgen.locust_plugin.stats_folding import fold, is_alone
from loadgen.measure.sample import Sample
from loadgen.users.listeners import Listeners

TEXTS = 50
"""Maximum distinct failure texts in Locust's table."""


class OperationError(Exception):
    """An entry in Locust's table of failures: the outcome and one short line."""


class RequestEvent:
    """Fires Locust's `request` event, once for each sample, on the hub.

    If nobody but Locust listens, `stats` get the samples without the event. If a listener blocks, another call
    continues with the later samples, so that each reaches Locust's table in time.
    """

    def __init__(self, events: Any, listeners: Listeners | None = None, stats: Any = None) -> None:
        self._hook = events.request
        self._stats = stats
        self._listeners = listeners or Listeners()
        self._texts: dict[str, str] = {}
        self._waiting: deque[Sample] = deque()

    def __call__(self, samples: Sequence[Sample]) -> None:
        """Request type is the variant, name the operation, time in unrounded milliseconds, length the rows.

        Locust sums all rows of its table, so nested operations are not shown there.
        """
        waiting, fire, hook = self._waiting, self._listeners.fire, self._hook
        shown = [sample for sample in samples if not sample.nested]
        if self._stats is not None and not waiting and is_alone(hook._handlers):  # noqa: SLF001 - as in `Listeners`
            fold(self._stats, [sample for sample in shown if sample.error is None])
            shown = [sample for sample in shown if sample.error is not None]
        waiting.extend(shown)
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
        except Exception:  # noqa: BLE001 - a foreign exception without a printable text
            text = f"{sample.outcome}: {type(error).__name__}"
        kind = mask_numbers(text)  # the sizes of oversized messages differ slightly: the first one represents all
        if kind not in self._texts and len(self._texts) >= TEXTS:
            kind = text = f"{sample.outcome}: other texts"
        return OperationError(self._texts.setdefault(kind, text))
