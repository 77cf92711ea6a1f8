"""The way from threads to the hub, and what is set aside from the search for garbage."""

import gc
import sys
import threading
import weakref

import gevent
import pytest

from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.runtime.gc_freeze import set_aside
from loadgen.runtime.hub import BATCH, HubQueue, run_in_thread
from loadgen.runtime.loop import LoopThread, new_event_loop


def sample(number: int) -> Sample:
    return Sample(Mode.SYNC, "search", 0.0, 0.0, float(number), Outcome.OK, 1)


def test_samples_of_many_threads_arrive_all_in_their_order_and_in_small_batches() -> None:
    batches: list[list[Sample]] = []
    queue = HubQueue(lambda samples: batches.append(list(samples)))

    def put_many(first: int) -> None:
        for number in range(first, first + 2_000):
            queue.put(sample(number))

    threads = [threading.Thread(target=put_many, args=(first,)) for first in range(0, 8_000, 2_000)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        gevent.sleep(0.001)
    assert queue.flush()
    queue.close()
    arrived = [int(one.finished) for batch in batches for one in batch]
    assert sorted(arrived) == list(range(8_000))
    for first in range(0, 8_000, 2_000):
        assert [number for number in arrived if first <= number < first + 2_000] == list(range(first, first + 2_000))
    assert max(len(batch) for batch in batches) <= BATCH


def test_a_call_comes_after_all_samples_before_it_and_before_all_after_it() -> None:
    events: list[str] = []
    queue = HubQueue(lambda samples: events.extend(str(int(one.finished)) for one in samples))
    main = threading.get_ident()
    for number in range(3):
        queue.put(sample(number))
    queue.put(lambda: events.append(f"call on the hub: {threading.get_ident() == main}"))
    queue.put(sample(3))
    assert queue.flush()
    queue.close()
    assert events == ["0", "1", "2", "call on the hub: True", "3"]


def test_the_hub_goes_on_while_a_blocking_function_runs() -> None:
    gate = threading.Event()
    gevent.spawn_later(0.01, gate.set)
    assert run_in_thread(lambda: gate.wait(10)) is True


def test_an_exception_of_a_blocking_function_comes_back() -> None:
    def fail() -> None:
        raise ValueError("from the thread")

    with pytest.raises(ValueError, match="from the thread"):
        run_in_thread(fail)


def test_a_loop_runs_coroutines_on_one_thread_of_its_own_until_it_is_stopped() -> None:
    loop = LoopThread()

    async def where() -> int:
        return threading.get_ident()

    result = {loop.call(where()).result(5) for _ in range(3)}
    assert len(result) == 1
    assert threading.get_ident() not in result
    loop.stop()
    loop.stop()
    loop.post(print, "never")


def test_a_loop_is_of_uvloop_where_that_is_installed_and_else_of_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    uvloop = pytest.importorskip("uvloop")
    loop, name = new_event_loop()
    loop.close()
    assert isinstance(loop, uvloop.Loop)
    assert name == f"uvloop {uvloop.__version__}"
    monkeypatch.setattr("loadgen.runtime.loop.find_spec", lambda _name: None)
    monkeypatch.setitem(sys.modules, "uvloop", None)  # importing it would fail
    loop, name = new_event_loop()
    loop.close()
    assert not isinstance(loop, uvloop.Loop)
    assert name == "asyncio"


def test_what_is_set_aside_is_not_searched_for_garbage_and_found_once_it_is_some() -> None:
    class Knot:
        def __init__(self) -> None:
            self.self = self

    gc.unfreeze()
    gone: list[str] = []
    knot = Knot()
    weakref.finalize(knot, gone.append, "knot")
    try:
        set_aside()
        assert gc.get_freeze_count() > 10_000
        del knot
        gc.collect()
        assert not gone, "set aside with the rest"
        set_aside()
        assert gone == ["knot"]
    finally:
        gc.freeze()  # as before the first test
