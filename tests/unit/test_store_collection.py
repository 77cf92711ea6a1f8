"""A collection is loaded although its server, Milvus Lite, is still writing the file of its index."""

from typing import Any

import pytest
from pymilvus.client.types import LoadState
from pymilvus.exceptions import MilvusException

from loadgen.milvus.store import collection as module
from loadgen.milvus.store.collection import Collection

FAISS = (
    "Error in void faiss::read_vector(VectorT&, IOReader*) [with VectorT = MaybeOwnedVector<int>] at "
    "/project/faiss/impl/index_read.cpp:153: Error: 'ret == (size)' failed: read error"
)
SAID = (FAISS, "No data left in file")


class Client:
    """Answers a few loads with an error."""

    def __init__(self, *errors: str) -> None:
        self.errors = list(errors)
        self.asked = 0
        self.state = LoadState.NotLoad

    def get_load_state(self, _name: str) -> dict[str, Any]:
        return {"state": self.state}

    def load_collection(self, _name: str, timeout: float) -> None:
        assert timeout == 30.0
        self.asked += 1
        if self.errors:
            raise MilvusException(1, self.errors.pop(0))
        self.state = LoadState.Loaded


def collection_of(client: Client) -> Collection:
    made = Collection.__new__(Collection)
    made.name, made.limit, made._client, made._heard = "one", 30.0, client, lambda: None
    return made


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that have passed: only pauses take any."""
    now = [0.0]
    monkeypatch.setattr("loadgen.milvus.store.collection.time.perf_counter", lambda: now[0])
    monkeypatch.setattr(
        "loadgen.milvus.store.collection.time.sleep", lambda seconds: now.__setitem__(0, now[0] + seconds)
    )
    return now


@pytest.mark.parametrize("said", SAID)
def test_a_file_that_is_not_yet_whole_is_read_again(said: str) -> None:
    client = Client(said, said)
    collection_of(client).load()
    assert (client.state, client.asked) == (LoadState.Loaded, 3)


def test_a_file_that_never_becomes_whole_is_given_up(clock: list[float]) -> None:
    client = Client(*[FAISS] * 1_000)
    with pytest.raises(MilvusException, match="read_vector"):
        collection_of(client).load()
    assert module.HALF_WRITTEN_SECONDS < clock[0] < module.HALF_WRITTEN_SECONDS + 1


def test_any_other_refusal_is_told_immediately() -> None:
    client = Client("index not found")
    with pytest.raises(MilvusException, match="index not found"):
        collection_of(client).load()
    assert client.asked == 1
