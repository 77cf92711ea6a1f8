"""The way from threads to the hub, and the process that stays unpatched."""

import gc
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import gevent
import pytest

from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.runtime.gc_freeze import set_aside
from loadgen.runtime.hub import BATCH, HubQueue, run_in_thread
from loadgen.runtime.loop import LoopThread, new_event_loop

EMPTY_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "LOCUST_SKIP_MONKEY_PATCH"}


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

    found = {loop.call(where()).result(5) for _ in range(3)}
    assert len(found) == 1
    assert threading.get_ident() not in found
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


def run_python(code: str, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=240, env=EMPTY_ENVIRONMENT, cwd=cwd, check=False
    )


def test_a_patched_process_that_is_no_locust_command_is_told_what_to_set() -> None:
    done = run_python("import locust\nfrom loadgen import AsyncUser")
    assert done.returncode == 1
    assert "PatchedProcessError" in done.stderr
    assert "LOCUST_SKIP_MONKEY_PATCH=1" in done.stderr


def test_a_script_that_imports_loadgen_first_stays_unpatched() -> None:
    done = run_python(
        "from loadgen import AsyncUser\nfrom gevent import monkey\n"
        "print(monkey.is_module_patched('socket'), AsyncUser.mode)"
    )
    assert (done.returncode, done.stdout.split()) == (0, ["False", "async"]), done.stderr


def test_a_locust_command_is_started_anew_once_without_the_patches(tmp_path: Path) -> None:
    locustfile = tmp_path / "file.py"
    locustfile.write_text(
        "import os\nprint('imported by', os.getpid(), flush=True)\n"
        "from locust import User, task, events\nfrom loadgen import AsyncUser, SyncUser, plug\nplug(events)\n"
        "import gevent.monkey\nprint('patched', gevent.monkey.is_module_patched('socket'))\n"
        "class Mine(AsyncUser):\n    @task\n    async def work(self): pass\n"
    )
    command = [str(Path(sys.executable).parent / "locust"), "-f", str(locustfile), "--list"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=EMPTY_ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr
    assert "Mine" in done.stdout
    assert "patched False" in done.stdout
    imports = [line for line in done.stdout.splitlines() if line.startswith("imported by")]
    assert len(imports) == 2
    assert imports[0] == imports[1], "the process is replaced, not left behind"


def test_what_is_set_aside_is_not_searched_for_garbage_and_found_once_it_is_some() -> None:
    class Knot:
        def __init__(self) -> None:
            self.self = self

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
        gc.unfreeze()
