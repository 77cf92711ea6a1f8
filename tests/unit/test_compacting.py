"""What is asked of the server, what is waited for, and what is said of other collections."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pymilvus import MilvusClient

from loadgen.milvus.store import Compaction
from loadgen.milvus.store.compacting import Compactor, describe_others
from loadgen.milvus.store.errors import StoreError

OWN, OTHERS = [1, 2], [7, 8]
PARTITION, DROPPED, FLUSHED = 5, 6, 4


class Server:
    """Segments by id with their partition, and a compaction that completes one plan at each look."""

    def __init__(
        self, *segments: tuple[int, int], plans: list[list[int]], completes: int = 9, merges: bool = True
    ) -> None:
        self.segments = {number: (partition, FLUSHED) for number, partition in segments}
        self.plans, self.completes, self.merges = plans, completes, merges
        self.asked = self.completed = 0

    def _get_connection(self) -> "Server":
        return self

    def get_persistent_segment_infos(self, _name: str, timeout: float) -> list[Any]:
        assert timeout == 3.0
        return [
            SimpleNamespace(segmentID=number, partitionID=partition, state=state)
            for number, (partition, state) in self.segments.items()
        ]

    def compact(self, _name: str, timeout: float) -> int:
        assert timeout == 3.0
        self.asked += 1
        return 77

    def get_compaction_plans(self, job: int, timeout: float) -> Any:
        assert (job, timeout) == (77, 3.0)
        return SimpleNamespace(plans=[SimpleNamespace(sources=sources) for sources in self.plans])

    def get_compaction_state(self, job: int, timeout: float) -> Any:
        assert (job, timeout) == (77, 3.0)
        self.completed = min(self.completed + 1, self.completes)
        if self.completed == 1 and self.merges:
            self.segments = {3: (PARTITION, FLUSHED)}
        return SimpleNamespace(state_name="Completed" if self.is_idle else "Executing", completed=self.completed)

    @property
    def is_idle(self) -> bool:
        return self.completed > len(self.plans)


def compact(server: Server) -> tuple[Compaction, list[str]]:
    reported: list[str] = []

    def wait(what: str, reached: Callable[[], bool]) -> None:
        if not any(reached() for _ in range(5)):
            raise StoreError(what)

    return Compactor(cast("MilvusClient", server), "books", 3.0, wait, reported.append).compact(), reported


def test_a_collection_with_one_segment_in_each_partition_is_left_alone() -> None:
    server = Server((1, PARTITION), (2, PARTITION + 1), plans=[OWN])
    server.segments[9] = (PARTITION, DROPPED)
    assert compact(server) == (Compaction.NOT_NEEDED, [])
    assert server.asked == 0


def test_segments_of_one_partition_are_merged() -> None:
    server = Server((1, PARTITION), (2, PARTITION), plans=[OWN])
    assert compact(server) == (Compaction.COMPLETED, [])
    assert server.asked == 1
    assert server.is_idle


def test_other_collections_are_named_and_waited_for() -> None:
    server = Server((1, PARTITION), (2, PARTITION), plans=[OWN, OTHERS, [9]])
    assert compact(server) == (Compaction.COMPLETED, [describe_others(2)])
    assert server.is_idle
    assert "2 more compactions" in describe_others(2)


def test_other_collections_that_are_never_compacted_stop_no_run() -> None:
    server = Server((1, PARTITION), (2, PARTITION), plans=[OWN, OTHERS], completes=1)
    outcome, reported = compact(server)
    assert outcome is Compaction.COMPLETED
    assert reported == [
        describe_others(1),
        "the compaction of other collections of this server continues during the run",
    ]


def test_own_segments_that_are_never_merged_do() -> None:
    server = Server((1, PARTITION), (2, PARTITION), plans=[OWN, OTHERS], completes=1, merges=False)
    with pytest.raises(StoreError, match=r"the compaction \(--no-wait-compaction omits it\)"):
        compact(server)
