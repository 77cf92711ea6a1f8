"""The thread that embeds what waits, all of it together."""

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from loadgen.clients.rag.embeddings.batching import BatchingThread, EmbedderClosedError
from tests.unit.rag_support import CountingEmbedder

LIMIT = 30


class Gate:
    """Stops the model in each step, until it is opened."""

    def __init__(self, embedder: CountingEmbedder) -> None:
        self.reached, self.open = threading.Event(), threading.Event()
        embedder.before = self.stop

    def stop(self) -> None:
        self.reached.set()
        assert self.open.wait(LIMIT)


def steps(embedder: CountingEmbedder) -> list[tuple[str, list[str]]]:
    return [(kind, texts) for kind, texts, _ in embedder.calls]


async def wait_until_inside(gate: Gate) -> None:
    assert await asyncio.to_thread(gate.reached.wait, LIMIT)


def test_what_waits_during_a_step_is_computed_together_and_each_gets_its_own() -> None:
    embedder = CountingEmbedder()
    gate, thread = Gate(embedder), BatchingThread(embedder)

    async def ask() -> list[list[list[float]]]:
        first = asyncio.create_task(thread.aembed(["x"], is_query=True))
        await wait_until_inside(gate)
        others = [asyncio.create_task(thread.aembed(["y" * size], is_query=True)) for size in range(1, 9)]
        await asyncio.sleep(0)
        gate.open.set()
        return await asyncio.gather(first, *others)

    result = asyncio.run(ask())
    thread.close()
    assert result == [[[1.0, 1.0]], *([[float(size), 1.0]] for size in range(1, 9))]
    assert steps(embedder) == [("query", ["x"]), ("query", ["y" * size for size in range(1, 9)])]


def test_threads_and_loops_share_a_step_and_kinds_do_not() -> None:
    embedder = CountingEmbedder()
    gate, thread = Gate(embedder), BatchingThread(embedder)

    async def ask(pool: ThreadPoolExecutor) -> list[list[list[float]]]:
        first = pool.submit(thread.embed, ["a"], is_query=False)
        await wait_until_inside(gate)
        own = [asyncio.create_task(thread.aembed([text, text], is_query=False)) for text in ("bb", "cc")]
        await asyncio.sleep(0)
        question = asyncio.create_task(thread.aembed(["q"], is_query=True))
        await asyncio.sleep(0)
        gate.open.set()
        return [await asyncio.wrap_future(first), *await asyncio.gather(*own, question)]

    with ThreadPoolExecutor() as pool:
        result = asyncio.run(ask(pool))
    thread.close()
    assert result == [[[1.0, 0.0]], [[2.0, 0.0]] * 2, [[2.0, 0.0]] * 2, [[1.0, 1.0]]]
    assert steps(embedder) == [("text", ["a"]), ("text", ["bb", "bb", "cc", "cc"]), ("query", ["q"])]


def test_a_step_has_at_most_its_limit_of_texts_and_at_least_one_request() -> None:
    embedder = CountingEmbedder()
    gate, thread = Gate(embedder), BatchingThread(embedder, most=4)

    async def ask() -> None:
        tasks = [asyncio.create_task(thread.aembed(["x"], is_query=False))]
        await wait_until_inside(gate)
        for size in (2, 2, 1, 6, 1):
            tasks.append(asyncio.create_task(thread.aembed(["y"] * size, is_query=False)))
            await asyncio.sleep(0)
        gate.open.set()
        await asyncio.gather(*tasks)

    asyncio.run(ask())
    thread.close()
    assert [len(texts) for _, texts in steps(embedder)] == [1, 4, 1, 6, 1]


def test_every_waiter_of_a_step_gets_its_error_and_the_next_step_is_computed() -> None:
    embedder = CountingEmbedder()
    gate, thread = Gate(embedder), BatchingThread(embedder)

    def fail() -> None:
        raise RuntimeError("out of memory")

    async def ask() -> list[object]:
        first = asyncio.create_task(thread.aembed(["x"], is_query=True))
        await wait_until_inside(gate)
        embedder.before = fail
        others = [asyncio.create_task(thread.aembed([text], is_query=True)) for text in "abc"]
        await asyncio.sleep(0)
        gate.open.set()
        return list(await asyncio.gather(first, *others, return_exceptions=True))

    first, *others = asyncio.run(ask())
    assert first == [[1.0, 1.0]]
    assert [repr(error) for error in others] == ["RuntimeError('out of memory')"] * 3
    with pytest.raises(RuntimeError, match="out of memory"):
        thread.embed(["d"], is_query=False)
    embedder.before = lambda: None
    assert thread.embed(["de"], is_query=False) == [[2.0, 0.0]]
    thread.close()


def test_a_cancelled_request_is_not_computed_and_the_others_are() -> None:
    embedder = CountingEmbedder()
    gate, thread = Gate(embedder), BatchingThread(embedder)

    async def ask() -> list[object]:
        tasks = [asyncio.create_task(thread.aembed(["x"], is_query=True))]
        await wait_until_inside(gate)
        tasks += [asyncio.create_task(thread.aembed([text], is_query=True)) for text in ("stay", "leave")]
        await asyncio.sleep(0)
        tasks[0].cancel()  # its step is being computed: the result is dropped
        tasks[2].cancel()
        await asyncio.sleep(0)
        gate.open.set()
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    result = asyncio.run(ask())
    thread.close()
    assert [type(result[0]), result[1], type(result[2])] == [
        asyncio.CancelledError,
        [[4.0, 1.0]],
        asyncio.CancelledError,
    ]
    assert steps(embedder) == [("query", ["x"]), ("query", ["stay"])]


def test_closing_ends_the_thread_and_whoever_waits_is_told() -> None:
    embedder = CountingEmbedder()
    gate, thread = Gate(embedder), BatchingThread(embedder)
    order: list[str] = []

    def compute() -> None:
        gate.stop()
        order.append("computed")

    def close() -> None:
        thread.close()
        order.append("closed")

    embedder.before = compute

    async def ask() -> list[object]:
        tasks = [asyncio.create_task(thread.aembed(["x"], is_query=True))]
        await wait_until_inside(gate)
        tasks.append(asyncio.create_task(thread.aembed(["late"], is_query=True)))
        await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(close))
        last = await asyncio.gather(tasks[1], return_exceptions=True)
        gate.open.set()
        await closing
        return [await tasks[0], *last]

    computed, refused = asyncio.run(ask())
    assert order == ["computed", "closed"], "closing waits for the step"
    assert computed == [[1.0, 1.0]]
    assert isinstance(refused, EmbedderClosedError)
    assert [one for one in threading.enumerate() if one.name == "embedding"] == []
    with pytest.raises(EmbedderClosedError, match="the embedding model is closed"):
        thread.embed(["x"], is_query=True)
    thread.close()


def test_there_is_no_thread_before_the_first_request() -> None:
    thread = BatchingThread(CountingEmbedder())
    assert [one for one in threading.enumerate() if one.name == "embedding"] == []
    thread.close()


def test_a_loop_that_ends_before_its_answer_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    embedder = CountingEmbedder()
    gate, thread = Gate(embedder), BatchingThread(embedder)
    left: list[Future[None]] = []

    async def leave() -> None:
        task = asyncio.create_task(thread.aembed(["x"], is_query=True))
        await wait_until_inside(gate)
        task.cancel()

    with ThreadPoolExecutor(1) as pool:
        left.append(pool.submit(asyncio.run, leave()))
        left[0].result(LIMIT)
        other = pool.submit(thread.embed, ["yy"], is_query=True)
        gate.open.set()
        assert other.result(LIMIT) == [[2.0, 1.0]]
    thread.close()
    assert caplog.records == []
