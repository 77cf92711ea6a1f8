"""Who may use a collection together with whom, and when a holder counts as gone."""

import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest

from loadgen.milvus.store import lease as module
from loadgen.milvus.store.holders import Holder, Use
from loadgen.milvus.store.lease import Lease
from loadgen.milvus.store.watching import HolderWatch, LeaseTiming, Life
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings

QUICK = LeaseTiming(beat=0.05, expiry=60, poll=0.01)


class Table:
    """Rows in memory, linearizable as Milvus is with Strong consistency; every call gives other threads their turn."""

    rows: dict[str, Holder]
    lock: threading.Lock
    clock: float | None = 1_000.0

    def __init__(self, _settings: Settings) -> None:
        pass

    @classmethod
    def fresh(cls) -> None:
        cls.rows, cls.lock, cls.clock = {}, threading.Lock(), 1_000.0

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    is_there = True

    def now(self) -> float | None:
        return self.clock

    def read(self, *, strong: bool = True) -> list[Holder]:  # noqa: ARG002 - all reads are
        time.sleep(random.random() / 500)
        with self.lock:
            rows = list(self.rows.values())
        time.sleep(random.random() / 500)
        newest: dict[str, Holder] = {}
        for row in rows:
            if row.lease not in newest or newest[row.lease].beat < row.beat:
                newest[row.lease] = row
        return list(newest.values())

    def write(self, holder: Holder) -> None:
        time.sleep(random.random() / 500)
        with self.lock:
            self.rows[holder.row] = holder
        with self.lock:
            self.rows.pop(f"{holder.lease}#{holder.beat - 1}", None)

    def remove(self, holder: Holder) -> None:
        with self.lock:
            for beat in range(holder.beat - 1, holder.beat + 2):
                self.rows.pop(f"{holder.lease}#{beat}", None)


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> type[Table]:
    Table.fresh()
    monkeypatch.setattr(module, "LeaseTable", Table)
    return Table


def new_lease(*, writes: bool = False, reported: list[str] | None = None) -> Lease:
    tell = (reported if reported is not None else []).append
    return Lease(Settings(collection="c"), "searches", tell, writes=writes, timing=QUICK)


def elsewhere(**given: Any) -> Holder:
    there = replace(Holder.here("c", "data", "searches"), machine="another one", host="far", pid=7, written=1_000.0)
    return replace(there, beat=1, claimed=False, **given)


def test_readers_of_the_same_data_share_and_know_each_other(table: type[Table]) -> None:
    first, second = new_lease(), new_lease()
    first.take("data", Use.READ)
    assert (first.is_shared, first.sharers) == (False, ())
    first.settle()
    first.name_run("run-1")
    wait_for(lambda: any(row.run == "run-1" for row in table.rows.values()))
    second.take("data", Use.READ)
    second.name_run("run-2")
    assert second.is_shared
    wait_for(lambda: (first.sharers, second.sharers) == (("run-2",), ("run-1",)))
    first.release()
    second.release()
    assert table.rows == {}
    assert first.sharers == ("run-2",), "what was seen stays known"


@pytest.mark.parametrize(
    ("held", "wanted", "data"),
    [
        (Use.READ, Use.READ, "other"),
        (Use.READ, Use.WRITE, "data"),
        (Use.WRITE, Use.READ, "data"),
        (Use.WRITE, Use.WRITE, "data"),
    ],
)
def test_anybody_else_is_refused_and_told_who_holds_it(held: Use, wanted: Use, data: str, table: type[Table]) -> None:
    holder = elsewhere(use=held, run="20261122-193000-k3f9", since="2026-11-22 19:30:00")
    table.rows[holder.row] = holder
    late = new_lease(writes=True)
    with pytest.raises(SettingsError) as caught:
        late.take(data, wanted)
    (fault,) = caught.value.faults
    assert (fault.setting, fault.value) == ("collection", "c")
    assert fault.problem == (
        "is in use by run 20261122-193000-k3f9 on host far (pid 7) since 2026-11-22 19:30:00 UTC, which searches"
    )
    assert list(table.rows.values()) == [holder]
    table.rows.clear()
    late.take(data, wanted)
    assert len(table.rows) == 1
    late.release()


def test_a_reader_waits_for_whoever_makes_its_data_ready(table: type[Table]) -> None:
    first, reported = new_lease(), list[str]()
    first.take("data", Use.READ)
    assert first.make_exclusive()
    second = new_lease(reported=reported)
    waiting = threading.Thread(target=second.take, args=("data", Use.READ))
    waiting.start()
    wait_for(lambda: bool(reported))
    assert "which is making the data ready" in reported[0]
    assert waiting.is_alive()
    first.settle()
    waiting.join(20)
    assert not waiting.is_alive()
    assert second.is_shared
    assert {row.use for row in table.rows.values()} == {Use.READ}
    first.release()
    second.release()


def test_a_writer_does_not_wait_for_it(table: type[Table]) -> None:
    first = new_lease()
    first.take("data", Use.READ)
    assert first.make_exclusive()
    with pytest.raises(SettingsError, match="is making the data ready"):
        new_lease(writes=True).take("data", Use.WRITE)
    assert len(table.rows) == 1
    first.release()


@dataclass
class Holdings:
    """What is held at a moment, and whether any two held what excludes the other."""

    barrier: threading.Barrier
    lock: threading.Lock = field(default_factory=threading.Lock)
    now: list[Use] = field(default_factory=list)
    ever: list[Use] = field(default_factory=list)
    overlaps: list[list[Use]] = field(default_factory=list)

    def hold(self, use: Use) -> None:
        lease = new_lease(writes=use is Use.WRITE)
        self.barrier.wait()
        try:
            lease.take("data", use)
        except SettingsError:
            return
        with self.lock:
            self.now.append(use)
            self.ever.append(use)
            if len(self.now) > 1 and Use.WRITE in self.now:
                self.overlaps.append(list(self.now))
        time.sleep(0.02)
        with self.lock:
            self.now.remove(use)
        lease.release()


def run_threads(targets: Iterable[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=target, daemon=True) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


def test_of_many_that_start_together_no_two_write_and_none_reads_beside_a_writer() -> None:
    for turn in range(25):
        Table.fresh()
        holdings = Holdings(threading.Barrier(6))
        uses = [Use.WRITE if number <= turn % 6 else Use.READ for number in range(6)]
        run_threads([partial(holdings.hold, use) for use in uses])
        assert holdings.overlaps == []
        assert holdings.ever, "somebody gets it"
        assert Table.rows == {}


def test_of_readers_that_find_it_unready_together_one_makes_it_ready_and_all_get_it() -> None:
    ready, makers, done = threading.Event(), list[int](), list[int]()

    def start(number: int) -> None:
        lease = new_lease()
        while True:
            lease.take("data", Use.READ)
            if ready.is_set():
                break
            if lease.make_exclusive():
                makers.append(number)
                time.sleep(0.05)
                ready.set()
                break
        lease.settle()
        done.append(number)
        lease.release()

    run_threads([partial(start, number) for number in range(5)])
    assert sorted(done) == list(range(5))
    assert len(makers) == 1


def test_a_lost_lease_is_told_once(table: type[Table]) -> None:
    reported: list[str] = []
    lease = new_lease(reported=reported)
    lease.take("data", Use.READ)
    thief = elsewhere(use=Use.WRITE, run="run-9")
    table.rows[thief.row] = thief
    wait_for(lambda: bool(reported))
    time.sleep(0.3)
    assert len(reported) == 1
    assert "it is in use by run run-9 on host far" in reported[0]
    lease.release()


def test_a_process_of_this_machine_that_is_gone_holds_nothing(table: type[Table]) -> None:
    gone = replace(elsewhere(use=Use.WRITE), machine=Holder.here("c", "", "").machine, pid=2**22 + 5, started="1")
    reused = replace(gone, lease="reused", pid=Holder.here("c", "", "").pid, started="1")
    table.rows |= {gone.row: gone, reused.row: reused}
    lease = new_lease(writes=True)
    lease.take("data", Use.WRITE)
    assert {row.lease for row in table.rows.values()}.isdisjoint({gone.lease, "reused"})
    lease.release()


@pytest.mark.parametrize(
    ("age", "life"), [(0, Life.ALIVE), (22, Life.ALIVE), (23, Life.SILENT), (60, Life.DEAD), (-9, Life.ALIVE)]
)
def test_with_a_clock_of_the_server_a_row_says_its_age_itself(age: float, life: Life) -> None:
    watch = HolderWatch(LeaseTiming(), clock=lambda: 0.0)
    assert watch.judge(elsewhere(use=Use.READ), 1_000.0 + age) is life


def test_without_one_the_heartbeat_has_to_change_within_our_own_minute() -> None:
    times = [0.0]
    watch = HolderWatch(LeaseTiming(), clock=lambda: times[0])
    holder = replace(elsewhere(use=Use.READ), written=None)

    def judged(at: float, beat: int) -> Life:
        times[0] = at
        return watch.judge(replace(holder, beat=beat), None)

    assert [judged(0, 1), judged(14, 1), judged(15, 2), judged(16, 2)] == [
        Life.SILENT,
        Life.SILENT,
        Life.ALIVE,
        Life.ALIVE,
    ]
    assert [judged(38, 2), judged(74.9, 2), judged(75, 2)] == [Life.SILENT, Life.SILENT, Life.DEAD]


def test_a_row_of_a_later_version_is_read_and_a_broken_one_refused() -> None:
    holder = elsewhere(use=Use.WRITE)
    later = holder.as_text().replace('{"lease"', '{"news": 1, "lease"')
    assert Holder.from_text(later) == holder
    for broken in ("", "[]", "{}", holder.as_text().replace("write", "borrow")):
        with pytest.raises((ValueError, TypeError, KeyError)):
            Holder.from_text(broken)


def wait_for(condition: Any) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "waited for in vain"
        time.sleep(0.01)
