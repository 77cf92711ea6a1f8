"""Users with few privileges on a real server with authorization: the documented ones suffice, and nothing is left."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loadgen.clients.llamaindex import SyncClient
from loadgen.datasets import open_dataset
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.milvus.store import StoreError, close_stores, open_stores, to_node, to_query
from loadgen.settings.model import Settings
from tests.integration.plain_clients import open_client
from tests.integration.store_support import guarded_milvus, prepare_for, settings_for

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "connecting.md"
NAME = "store_roles"
PASSWORD = "secret1"
EFFECTIVE_SECONDS = 60.0
Privileges = list[tuple[str, str]]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with guarded_milvus(tmp_path_factory.mktemp("guarded")) as uri:
        yield uri


@pytest.fixture
def root(guarded: str) -> Iterator[Any]:
    client = open_client(guarded, token="root:Milvus")
    yield client
    client.drop_collection(NAME)
    client.close()


def documented() -> dict[str, Privileges]:
    """The table of the page: what each thing needs."""
    section = PAGE.read_text().partition("## Privileges")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]*) ?\| ([^|]+) \|$", section, re.MULTILINE)[2:]
    return {
        name.split(",")[0].split(" with")[0].strip(): [
            (kind, privilege)
            for kind, cell in (("Global", first), ("Collection", second))
            for privilege in re.findall(r"`(\w+)`", cell)
        ]
        for name, first, second in reversed(rows)
    }


def user_with(root: Any, uri: str, name: str, privileges: Privileges) -> Settings:
    """Settings of a new user whose role has exactly these, when the server has taken note of them."""
    role = f"role_{name}"
    root.create_user(name, PASSWORD)
    root.create_role(role)
    for kind, privilege in dict.fromkeys(privileges):
        root.grant_privilege(role, kind, privilege, "*")
    root.grant_role(name, role)
    end = time.perf_counter() + EFFECTIVE_SECONDS
    client = open_client(uri, token=f"{name}:{PASSWORD}")
    while True:  # its proxy reads the policies again some time after they have changed
        missing = denied(client, [privilege for _, privilege in privileges])
        if not missing:
            break
        assert time.perf_counter() < end, f"never effective: {missing}"
        time.sleep(0.5)
    client.close()
    return settings_for(uri, NAME, rows=100, token=f"{name}:{PASSWORD}")


PROBES = {
    "CreateCollection": lambda client: client.create_collection("probe", dimension=0),
    "DropCollection": lambda client: client.drop_collection("probe"),
    "CreateIndex": lambda client: client.create_index("probe", index_of(client)),
    "Load": lambda client: client.load_collection("probe"),
    "Release": lambda client: client.release_collection("probe"),
    "Flush": lambda client: client.flush("probe"),
    "Insert": lambda client: client.insert("probe", [{"id": 1}]),
    "Query": lambda client: client.query("probe", filter="id > 0"),
    "Search": lambda client: client.search("probe", [[0.0, 1.0]]),
    "Delete": lambda client: client.delete("probe", ids=[1]),
}
"""Calls about a collection that does not exist: they fail, but for another reason as soon as they are allowed."""


def index_of(client: Any) -> Any:
    index = client.prepare_index_params()
    index.add_index("vector", metric_type="L2", index_type="FLAT")
    return index


def denied(client: Any, privileges: list[str]) -> list[str]:
    result = []
    for privilege in privileges:
        try:
            if privilege in PROBES:
                PROBES[privilege](client)
        except Exception as error:  # noqa: BLE001 - any kind will do
            if "permission deny" in str(error):
                result.append(privilege)
    return result


def test_a_role_that_may_not_load_leaves_nothing_and_is_told_what_it_lacks(root: Any, guarded: str) -> None:
    given = [each for each in documented()["prepare the collection"] if each[1] != "Load"]
    settings = user_with(root, guarded, "noload", given)
    with pytest.raises(StoreError, match=r"PrivilegeLoad: permission deny.*Connecting to Milvus") as caught:
        prepare_for(settings)
    assert "half made" not in str(caught.value)
    assert not root.has_collection(NAME)


def test_a_role_that_may_not_even_drop_is_told_how_somebody_else_does(root: Any, guarded: str) -> None:
    lacking = ("Insert", "DropCollection")
    given = [each for each in documented()["prepare the collection"] if each[1] not in lacking]
    settings = user_with(root, guarded, "nodrop", given)
    with pytest.raises(StoreError, match=r"PrivilegeInsert: permission deny") as caught:
        prepare_for(settings)
    assert "was left half made (PrivilegeDropCollection: permission deny" in str(caught.value)
    assert f"drop_collection('{NAME}')" in str(caught.value)
    assert root.has_collection(NAME)


def test_the_documented_privileges_are_enough_for_each_operation(root: Any, guarded: str) -> None:
    table = documented()
    assert set(table) == {
        "prepare the collection", "open it", "search", "insert", "delete", "compare variants",
    }  # fmt: skip
    both = table["prepare the collection"] + table["open it"]
    settings = user_with(root, guarded, "preparer", both)
    assert prepare_for(settings).rows == 100
    assert prepare_for(settings).reused
    assert prepare_for(settings.model_copy(update={"fresh": True})).rows == 100
    node = to_node(next(open_dataset(settings).fresh_rows(1)))
    query = to_query(open_dataset(settings).queries()[0], settings)
    for operation in ("search", "insert", "delete"):
        user = user_with(root, guarded, f"only_{operation}", table["open it"] + table[operation])
        stores = open_stores(user, Mode.SYNC)
        samples: list[Sample] = []
        client = SyncClient(stores[0], samples.append)
        client.search(query)
        client.insert([node])
        client.delete(node.ref_doc_id or "")
        close_stores(stores)
        allowed = {sample.operation for sample in samples if sample.outcome is Outcome.OK}
        refused = {sample.operation for sample in samples if sample.outcome is Outcome.REJECTED}
        assert operation in allowed
        assert allowed | refused == {"search", "insert", "delete"}
        assert refused, "the server is guarded"
