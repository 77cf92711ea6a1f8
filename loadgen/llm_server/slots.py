"""The concurrency limit of one kind of request."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from loadgen.llm_server.recording import RecordedRequest, Records
from loadgen.llm_server.requests import ApiError


class Slots:
    """Room for a number of requests (0: any); who finds none waits in order of arrival, or is refused with a 429."""

    def __init__(self, number: int, records: Records, *, reject: bool) -> None:
        self._semaphore = asyncio.Semaphore(number) if number else None
        self._records = records
        self._reject = reject

    @asynccontextmanager
    async def take(self, call: RecordedRequest) -> AsyncIterator[None]:
        """A slot for a call, which starts with it. Raises ApiError."""
        if self._semaphore is None:
            call.start(waited=False)
            yield
            return
        waited = self._semaphore.locked()
        if waited and self._reject:
            raise ApiError(429, "The server is at its concurrency limit.", "over_limit", code="rate_limit_exceeded")
        self._records.waiting += 1
        try:
            await self._semaphore.acquire()
        finally:
            self._records.waiting -= 1
        try:
            call.start(waited=waited)
            yield
        finally:
            self._semaphore.release()
