"""What the server counts itself: requests by outcome, tokens, and exact times."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from loadgen.llm_server.requests import ApiError
from loadgen.measure.histograms import find_value, make_histogram, percentile

PERCENTS = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9}
TIMES = ("queue", "first_token", "inter_token", "total", "late")
"""From arrival to a slot, to the first token, and to the end; from token to token; how late anything was sent."""


class DurationStats:
    """Durations in seconds: exact extremes, and percentiles to three digits. Bounded, however many there are."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        self.total = 0.0
        self._least, self._most = float("inf"), 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[find_value(seconds)] += 1
        self.total += seconds
        self._least, self._most = min(self._least, seconds), max(self._most, seconds)

    def describe(self) -> dict[str, float]:
        """Plain values for JSON, in seconds."""
        number = self.counts.total()
        if not number:
            return {"count": 0}
        histogram = make_histogram(self.counts)
        percentiles = {name: percentile(histogram, percent) for name, percent in PERCENTS.items()}
        return {"count": number, "mean": self.total / number, "min": self._least, **percentiles, "max": self._most}


@dataclass(slots=True)
class Records:
    """Of all requests of one kind since the last reset. `in_flight` and `waiting` survive a reset."""

    in_flight: int = 0
    waiting: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    texts: int = 0
    times: dict[str, DurationStats] = field(default_factory=lambda: {name: DurationStats() for name in TIMES})

    def reset(self) -> None:
        """Begin anew."""
        fresh = Records()
        self.outcomes, self.times, self.texts = fresh.outcomes, fresh.times, 0
        self.prompt_tokens = self.completion_tokens = 0

    def describe(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "requests": self.outcomes.total(),
            "outcomes": dict(sorted(self.outcomes.items())),
            "in_flight": self.in_flight,
            "waiting": self.waiting,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "texts": self.texts,
            "times": {name: times.describe() for name, times in self.times.items()},
        }


class RecordedRequest:
    """One request from its arrival to its end, counted once: anything after `end` is ignored."""

    def __init__(self, records: Records, loop: asyncio.AbstractEventLoop) -> None:
        self._records = records
        self._loop = loop
        self._ended = False
        self._last: float | None = None
        self.arrived = loop.time()
        self.started = self.arrived

    def __enter__(self) -> Self:
        self._records.in_flight += 1
        return self

    def start(self, *, waited: bool) -> None:
        """The request has its slot; what did not wait started when it arrived."""
        if waited:
            self.started = self._loop.time()
        self._records.times["queue"].add(self.started - self.arrived)

    async def wait(self, offset: float) -> None:
        """Return that long after the start, never before."""
        due = self.started + offset
        while (now := self._loop.time()) < due:  # noqa: ASYNC110 - an early timer is waited for again
            await asyncio.sleep(due - now)
        self._records.times["late"].add(now - due)

    def token(self) -> None:
        """A token of a stream is sent now."""
        now = self._loop.time()
        times = self._records.times
        if self._last is None:
            times["first_token"].add(now - self.arrived)
        else:
            times["inter_token"].add(now - self._last)
        self._last = now
        self._records.completion_tokens += 1

    def end(self, outcome: str, *, prompt_tokens: int = 0, completion_tokens: int = 0, texts: int = 0) -> None:
        """Count it, before the client can see its end."""
        if self._ended:
            return
        self._ended = True
        records = self._records
        records.in_flight -= 1
        records.outcomes[outcome] += 1
        records.prompt_tokens += prompt_tokens
        records.completion_tokens += completion_tokens
        records.texts += texts
        if outcome == "ok":
            records.times["total"].add(self._loop.time() - self.arrived)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, ApiError):
            self.end(error.outcome)
        elif isinstance(error, asyncio.CancelledError | ConnectionError):
            self.end("disconnected")
        else:
            self.end("failed")
