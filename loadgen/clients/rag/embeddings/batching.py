"""One thread that embeds what waits, all of it together."""

import asyncio
import threading
from collections import deque
from concurrent.futures import Future
from typing import NamedTuple

from loadgen.clients.rag.embeddings import Embedder

MOST = 256
"""Maximum texts in one step."""
Vectors = list[list[float]]


class EmbedderClosedError(RuntimeError):
    """The embedding was closed before it computed this."""


class _QueuedTexts(NamedTuple):
    texts: list[str]
    is_query: bool
    done: "Future[Vectors]"


class BatchingThread:
    """Computes embeddings for any threads and loops, in the order in which they ask.

    Who asks while a step is computed is served by the next one together. The thread starts with the first request,
    so that none exists before a fork. If a step fails, each of its requests raises the error.
    """

    def __init__(self, embedder: Embedder, most: int = MOST) -> None:
        self._embedder = embedder
        self._most = most
        self._waiting: deque[_QueuedTexts] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    def embed(self, texts: list[str], *, is_query: bool) -> Vectors:
        """Wait in this thread. Raises what the model raises, and EmbedderClosedError."""
        return self._submit(texts, is_query=is_query).result()

    async def aembed(self, texts: list[str], *, is_query: bool) -> Vectors:
        """Wait in this coroutine. If it is cancelled before its step begins, its texts are not computed."""
        return await asyncio.wrap_future(self._submit(texts, is_query=is_query))

    def close(self) -> None:
        """End the thread after the step that it computes; what else waits raises EmbedderClosedError. Idempotent."""
        with self._changed:
            self._closed = True
            left, thread = [*self._waiting], self._thread
            self._waiting.clear()
            self._changed.notify()
        for one in left:
            if one.done.set_running_or_notify_cancel():
                one.done.set_exception(EmbedderClosedError("the embedding model is closed"))
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _submit(self, texts: list[str], *, is_query: bool) -> "Future[Vectors]":
        done: Future[Vectors] = Future()
        with self._changed:
            if self._closed:
                raise EmbedderClosedError("the embedding model is closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="embedding", daemon=True)
                self._thread.start()
            self._waiting.append(_QueuedTexts(texts, is_query, done))
            self._changed.notify()
        return done

    def _run(self) -> None:
        while step := self._take():
            if taken := [one for one in step if one.done.set_running_or_notify_cancel()]:
                self._compute(taken)

    def _take(self) -> list[_QueuedTexts]:
        """The requests of the next step, all of one kind; empty once it is closed."""
        with self._changed:
            while not (self._waiting or self._closed):
                self._changed.wait()
            step: list[_QueuedTexts] = []
            size = 0
            while self._waiting:
                following = self._waiting[0]
                size += len(following.texts)
                if step and (following.is_query != step[0].is_query or size > self._most):
                    break
                step.append(self._waiting.popleft())
            return step

    def _compute(self, step: list[_QueuedTexts]) -> None:
        texts = [text for one in step for text in one.texts]
        embed = self._embedder.embed_queries if step[0].is_query else self._embedder.embed_texts
        try:
            vectors = embed(texts)
        except BaseException as error:  # noqa: BLE001 - whoever waits would wait for ever
            for one in step:
                one.done.set_exception(error)
            return
        at = 0
        for one in step:
            one.done.set_result(vectors[at : at + len(one.texts)])
            at += len(one.texts)
