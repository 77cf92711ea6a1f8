"""Users in bare loops: calls one after another, with only the clock around them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter, sleep
from typing import Any

Parts = Mapping[str, Sequence[float]]
"""Seconds of what a call consists of, by name."""
NO_PARTS: Parts = {}


@dataclass(frozen=True, slots=True)
class Load:
    """One window."""

    users: int
    warmup: float
    """Seconds before it."""
    seconds: float
    rate: float = 0.0
    """Calls started per second, the users taking turns; 0: each user calls again once it is answered."""


class Loops:
    """Users for one window; only calls that end in it count.

    `call` takes a query and returns its parts, or for `run_async` what is awaited for them. `clock` tells seconds.
    """

    def __init__(
        self, call: Any, queries: Sequence[Any], load: Load, clock: Callable[[], float] = perf_counter
    ) -> None:
        self._clock = clock
        self._call = call
        self._queries = queries
        self._load = load
        self._begin = self._clock()
        self._start = self._begin + load.warmup
        self._end = self._start + load.seconds
        self.times: list[float] = []
        """Seconds of each call."""
        self.parts: dict[str, list[float]] = {}

    def run_sync(self) -> None:
        """On threads. Raises what a call raises."""
        with ThreadPoolExecutor(self._load.users, "loadgen-bare") as threads:
            list(threads.map(self._run_user, range(self._load.users)))

    def _run_user(self, number: int) -> None:
        while self._clock() < self._end:
            if (early := self._early(number)) > 0:
                sleep(early)
            started = self._clock()
            parts = self._call(self._queries[number % len(self._queries)])
            self._add(started, self._clock(), parts)
            number += self._load.users

    async def run_async(self) -> None:
        """As coroutines. Raises what a call raises."""
        await asyncio.gather(*(self._arun_user(number) for number in range(self._load.users)))

    async def _arun_user(self, number: int) -> None:
        while self._clock() < self._end:
            if (early := self._early(number)) > 0:
                await asyncio.sleep(early)
            started = self._clock()
            parts = await self._call(self._queries[number % len(self._queries)])
            self._add(started, self._clock(), parts)
            number += self._load.users

    def _early(self, number: int) -> float:
        """Seconds until this call is due."""
        return self._begin + number / self._load.rate - self._clock() if self._load.rate else 0.0

    def _add(self, started: float, finished: float, parts: Parts) -> None:
        if self._start <= finished < self._end:
            self.times.append(finished - started)
            for name, seconds in parts.items():
                self.parts.setdefault(name, []).extend(seconds)
