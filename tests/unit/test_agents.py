"""How the coordinator asks its agents: repeated until answered, with what there is to learn, and logged."""

import logging
from collections.abc import Iterator

import numpy as np
import pytest

from loadgen.control.agents import PREPARE_WITHIN
from loadgen.control.errors import AgentError
from loadgen.control.messages import CountUsers
from loadgen.datasets import GroundTruth
from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode
from tests.unit.control_support import Cluster, closed_phases, cluster


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A coordinator with the workers a and b."""
    with cluster(monkeypatch, "a", "b") as made:
        yield made


@pytest.mark.parametrize(("within", "sent", "warnings"), [(5.0, 3, 0), (15.0, 8, 1), (25.0, 13, 1)])
def test_an_unanswered_command_is_sent_every_two_seconds_and_a_patient_one_warns(
    two: Cluster, within: float, sent: int, warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    two.begin(closed_phases(1))
    two.network.fate = lambda _message: ()
    two.network.sent.clear()
    agents = two.coordinator.agents
    began = two.time()
    call = two.time.run(lambda: agents.ask({"a": CountUsers()}, within))
    assert two.time() - began == pytest.approx(within, abs=0.1)
    assert call.pending == {"a"}
    assert [agent for agent, command in two.network.sent if isinstance(command, CountUsers)] == ["a"] * sent
    reported = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert reported == ["No answer to count_users from 1 of 1 agents"] * warnings


def test_exact_neighbours_are_taught_where_there_are_any(two: Cluster) -> None:
    run = two.begin(closed_phases(1))
    two.time.run(two.coordinator.teach)
    assert [two[name].kinds() for name in ("a", "b")] == [["prepare"]] * 2
    run.ground_truths = (GroundTruth(2, np.array([[0, 1]]), np.array([[0.9, 0.8]])),)
    two.time.run(two.coordinator.teach)
    assert [two[name].kinds() for name in ("a", "b")] == [["prepare", "learn"]] * 2


def test_workers_may_read_for_longer_than_they_may_open_their_stores_and_their_data_are_equal(
    two: Cluster,
) -> None:
    two["b"].reading = PREPARE_WITHIN + 10.0
    two.network.fate = lambda _message: (0.01,)
    began = two.time()
    two.begin(closed_phases(1), data="3 documents")
    assert two.time() - began == pytest.approx(PREPARE_WITHIN + 10.0, abs=5.0)
    assert [two[name].kinds() for name in ("a", "b")] == [["read_data", "prepare"]] * 2
    two["b"].data = "4 documents"
    with pytest.raises(AgentError, match=r"^worker b cannot take part: it has 4 documents, the master has 3 documents"):
        two.begin(closed_phases(1), run_id="two", data="3 documents")
    assert two["a"].kinds()[2:] == ["read_data"], "nobody has opened a store"


def test_a_worker_with_other_documents_that_joins_later_is_dismissed(
    two: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    two.begin(closed_phases(2), data="3 documents")
    two.time.after(5.0, lambda: setattr(two.network.add("c"), "data", "4 documents"))
    two.carry_out()
    assert "Worker c cannot take part: it has 4 documents, the master has 3 documents" in caplog.text
    assert {command.kind for agent, command in two.network.sent if agent == "c"} == {"read_data", "refuse"}


def test_phases_are_logged_as_they_are_numbered_everywhere_from_1(
    two: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "loadgen")
    two.begin(closed_phases(2))
    two.carry_out()
    reported = [record.message for record in caplog.records if record.message.startswith("Phase ")]
    assert reported == ["Phase 1 of 2: sync, 8 users", "Phase 2 of 2: sync, 8 users"]


def test_a_phase_that_is_measured_again_is_logged_by_its_number(two: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "loadgen")
    two.begin(closed_phases(2), worker_grace=60.0)
    two.time.after(15.5, lambda: two.network.remove("b"))
    two.time.after(40.0, lambda: two.network.add("c"))
    two.carry_out()
    again = [record.message for record in caplog.records if "again" in record.message]
    assert again == ["Phase 2 is measured again: it had lost workers, and all are present"]


def test_a_burst_that_never_began_ends_the_plan_with_its_number(two: Cluster) -> None:
    burst = Phase(1, Mode.SYNC, 1, style="sync", operation="search", operations=10)
    run = two.begin([*closed_phases(1), burst])
    two.coordinator._gathering._ledger = Ledger()  # that of a run in one process: it has a window once one is opened
    two.time.after(20.0, lambda: two["a"].over.add(1))
    two.carry_out()
    reason = "phase 2 did not run: its user ended before its burst began"
    assert run.incomplete == f"ended early: 1 of 2 phases ({reason})"
