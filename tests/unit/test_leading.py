"""Who leads a phase: workers that leave, come back or join are told rightly, and what they lacked is marked."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from locust.runners import MasterRunner

from loadgen.exporter import Exporter, Role
from loadgen.ledger import Ledger
from loadgen.phase import Phase
from loadgen.plugin import arrivals
from loadgen.plugin.arrivals import Splitting
from loadgen.plugin.crew import Crew
from loadgen.plugin.lead import Lead
from loadgen.plugin.progress import Progress
from loadgen.sample import Mode, Outcome, Sample

OPEN = Phase(3, Mode.ASYNC, 0, seconds=0.6, model="constant", rate=50.0)
CLOSED = Phase(0, Mode.ASYNC, 8)


class Workers:
    """Crews that answer at once; `there` is who is there."""

    def __init__(self, *there: str) -> None:
        self.there = set(there)
        self.told: list[tuple[str, str, Mapping[str, Any]]] = []

    def find_there(self) -> set[str]:
        return set(self.there)

    def tell_each(self, order: str, messages: Mapping[str, Mapping[str, Any]], within: float = 15.0) -> dict[str, Any]:
        del within
        self.told += [(order, name, message) for name, message in messages.items()]
        return {name: 0 for name in messages if name in self.there}

    def orders(self, name: str) -> list[str]:
        return [order for order, who, _ in self.told if who == name and order != "count_missing"]


def turns(crews: Workers, name: str) -> list[tuple[int, int]]:
    """Which share of how many a worker was given, in order."""
    found = [message["turn"] for _, who, message in crews.told if who == name and "turn" in message]
    return [(turn["index"], turn["parts"]) for turn in found]


def test_the_rate_is_split_again_when_a_worker_leaves_joins_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "LOOK_FOR_WORKERS", 0.02)
    crews = Workers("a", "b")
    measuring = gevent.spawn(Splitting(crews, OPEN, {"run_id": "r"}).measure)
    gevent.sleep(0.1)
    crews.there.discard("b")
    gevent.sleep(0.1)
    crews.there.add("c")
    gevent.sleep(0.1)
    crews.there.add("b")
    measuring.get(timeout=10)
    assert turns(crews, "a") == [(0, 2), (0, 1), (0, 2), (0, 3)]
    assert turns(crews, "b") == [(1, 2), (1, 3)]
    assert turns(crews, "c") == [(1, 2), (2, 3)]
    assert crews.orders("c")[:2] == ["enter", "open_window"], "a newcomer's metrics know the phase before it counts"


def test_those_who_stay_know_of_a_new_split_before_those_who_join(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "LOOK_FOR_WORKERS", 0.02)
    crews = Workers("a")
    measuring = gevent.spawn(Splitting(crews, OPEN, {}).measure)
    gevent.sleep(0.1)
    crews.there.add("b")
    measuring.get(timeout=10)
    last = [(order, name) for order, name, message in crews.told if message.get("turn", {}).get("parts") == 2]
    assert last == [("turn", "a"), ("open_window", "b")]
    first, second = [
        message["turn"]["after"] for _, _, message in crews.told if message.get("turn", {}).get("parts") == 2
    ]
    assert first == second > 0.1, "one moment for both"


def crew_of(ledger: Ledger) -> tuple[Crew, list[tuple[str, Any]]]:
    """A crew whose arrivals only note what they are told."""
    noted: list[tuple[str, Any]] = []
    sets: dict[str, Any] = {"settled": set(), "over": set(), "errors": {}}
    station = SimpleNamespace(ledger=ledger, phase=None, checks=SimpleNamespace(begin=list), **sets)
    exporter = Exporter("llamaindex", Role.MASTER, lambda: 0)
    crew = Crew(SimpleNamespace(), station, exporter, list)  # type: ignore[arg-type]
    crew.arrivals = SimpleNamespace(  # type: ignore[assignment]
        begin=lambda _start, turn: noted.append(("begin", turn)), turn=lambda turn: noted.append(("turn", turn))
    )
    return crew, noted


def test_a_worker_that_is_told_of_its_phase_again_goes_on_counting_and_keeps_one_schedule() -> None:
    ledger = Ledger()
    crew, noted = crew_of(ledger)
    crew.open_window(OPEN.as_message(), {"after": 0.0, "index": 0, "parts": 2})
    window = ledger.windows[3]
    ledger([Sample(Mode.ASYNC, "search", 0.0, 0.0, window.start + 0.1, Outcome.OK, 1)])
    crew.open_window(OPEN.as_message(), {"after": 0.4, "index": 1, "parts": 3}, elapsed=0.3)
    assert ledger.windows[3] is window
    assert window.tallies[Mode.ASYNC, "search"].operations == 1
    assert [name for name, _ in noted] == ["begin", "turn"]
    assert noted[1][1]["parts"] == 3
    crew.reset()
    crew.open_window(OPEN.as_message(), {"after": 0.0, "index": 0, "parts": 1})
    assert [name for name, _ in noted] == ["begin", "turn", "begin"], "another run has phases of the same numbers"


class Master(MasterRunner):
    """A master without a network, whose workers answer at once; `leaving` is the order at which they leave."""

    greenlet = None
    leaving = ""

    def __init__(self, *names: str) -> None:
        self.clients = SimpleNamespace(ready=[], spawning=[], running=[SimpleNamespace(id=name) for name in names])
        self.lead: Lead | None = None

    def lose(self, name: str) -> None:
        self.clients.running = [client for client in self.clients.running if client.id != name]

    def gain(self, name: str) -> None:
        self.clients.running.append(SimpleNamespace(id=name))

    def send_message(self, _kind: str, data: Any = None, client_id: str | None = None) -> None:
        answers: dict[str, Any] = {"see": {"connections": 2, "data": []}}
        assert self.lead is not None
        said = {"number": data["number"], "answer": answers.get(data["order"])}
        self.lead.listen(None, SimpleNamespace(data=said, node_id=client_id))
        if data["order"] == self.leaving:
            self.lose(str(client_id))


def leading(master: Master, ledger: Ledger) -> Lead:
    crew, _ = crew_of(ledger)
    environment = SimpleNamespace(
        runner=master,
        parsed_options=SimpleNamespace(run_time=None, deadline=30.0),
        user_classes=[],
        shape_class=SimpleNamespace(length=1, phases=(CLOSED,)),
    )
    master.lead = Lead(environment, crew, Progress(), lambda _phase: None)
    return master.lead


def report_of(worker: Ledger, phase: Phase, number: int = 5) -> dict[str, Any]:
    """What a worker tells 3 s after the window's begin."""
    worker.open(phase, 100.0, 100.0 + phase.seconds if phase.seconds else float("inf"))
    worker([Sample(phase.mode, "search", 100.5, 100.5, 101.0, Outcome.OK, 1)] * number)
    return worker.take_report(103.0)


def test_a_worker_that_is_lost_in_a_run_of_one_mode_is_marked() -> None:
    ledger, master = Ledger(), Master("a", "b")
    lead = leading(master, ledger)
    lead.open(CLOSED)
    ledger.merge(report_of(Ledger(), CLOSED), "a")
    master.lose("b")
    lead.stop()
    assert ledger.windows[0].workers_lost == 1
    assert ledger.windows[0].connections == 2, "of the one that is there"


def test_workers_that_leave_because_they_are_told_to_stop_are_no_loss() -> None:
    ledger, master = Ledger(), Master("a", "b")
    lead = leading(master, ledger)
    lead.open(CLOSED)
    ledger.merge(report_of(Ledger(), CLOSED), "a")
    master.leaving = "stop"
    lead.stop()
    assert ledger.windows[0].workers_lost == 0


def test_a_worker_that_was_away_for_a_while_is_marked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadgen.plugin.lead.LOOK_FOR_WORKERS", 0.02)
    ledger, master = Ledger(), Master("a", "b")
    lead = leading(master, ledger)
    phase = Phase(0, Mode.SYNC, 8, seconds=10.0)
    lead.begin(phase)
    lead._open_window(phase)
    ledger.merge(report_of(Ledger(), phase), "a")
    master.lose("b")
    gevent.sleep(0.1)
    master.gain("b")
    gevent.sleep(0.1)
    lead.finish()
    assert ledger.windows[0].workers_lost == 1
    lead.begin(Phase(1, Mode.SYNC, 8, seconds=10.0))
    lead.finish()
    assert ledger.windows.keys() == {0}, "and the next phase begins anew"
    assert lead._missed == set()


def test_a_phase_whose_workers_are_all_lost_keeps_what_they_told_of_it() -> None:
    ledger, master = Ledger(), Master("a")
    lead = leading(master, ledger)
    phase = Phase(0, Mode.SYNC, 8, seconds=10.0)
    lead.begin(phase)
    ledger.merge(report_of(Ledger(), phase), "a")
    assert ledger.windows[0].seconds == 0.0, "its length is told at its end"
    master.lose("a")
    lead.finish()
    window = ledger.windows[0]
    assert (window.workers_lost, window.seconds) == (1, 3.0)
    assert window.tallies[Mode.SYNC, "search"].operations == 5
