"""Leases in real servers, held by real processes."""

import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from loadgen.datasets import open_dataset
from loadgen.milvus.store import Lease, prepare
from loadgen.milvus.store.holders import Holder, Use
from loadgen.milvus.store.leases import LeaseTable
from loadgen.milvus.store.watching import LeaseTiming
from loadgen.settings.conflicts import LEASES
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from tests.integration.lease_support import HolderProcess, rows_of
from tests.integration.plain_clients import client_of, open_client
from tests.integration.server_support import wait_until
from tests.integration.store_support import ROWS, count_rows, guarded_milvus, prepare_for, settings_for


@pytest.fixture(params=["milvus", "lite"])
def uri(request: pytest.FixtureRequest) -> str:
    address: str = request.getfixturevalue(f"{request.param}_uri")
    return address


@pytest.fixture
def name() -> str:
    return f"leased_{uuid.uuid4().hex[:8]}"


@pytest.fixture
def started() -> Iterator[list[HolderProcess]]:
    """Processes that are ended whatever happens."""
    holder_process: list[HolderProcess] = []
    yield holder_process
    for one in holder_process:
        one.kill()


def lease_of(uri: str, name: str, reported: list[str] | None = None, **given: Any) -> Lease:
    tell = (reported if reported is not None else []).append
    return Lease(Settings(host=uri, collection=name), "searches", tell, **given)


def test_of_processes_that_start_together_one_writes(uri: str, name: str, started: list[HolderProcess]) -> None:
    started += [HolderProcess.start(uri, name, "write") for _ in range(4)]
    for one in started:
        one.go_on()
    said = [one.read() for one in started]
    assert [line.partition(" ")[0] for line in said].count("held") == 1, said
    holder = started[said.index("held")]
    for line in said:
        if line != "held":
            assert f"--collection {name}: is in use by a run that is about to begin, on host " in line
            assert f"(pid {holder.process.pid}) since " in line
    assert [row.pid for row in rows_of(uri, name)] == [holder.process.pid]
    for one in started:
        one.end()
    assert rows_of(uri, name) == []


def test_readers_share_and_whoever_comes_with_other_data_or_to_write_does_not(
    uri: str, name: str, started: list[HolderProcess]
) -> None:
    said = []
    for use, data in (("read", "data"), ("read", "data"), ("read", "other"), ("write", "data")):
        started.append(HolderProcess.start(uri, name, use, data))
        started[-1].go_on()
        said.append(started[-1].read().partition(" ")[0])  # the next one begins once this one has its answer
    assert said == ["held", "held", "refused", "refused"]
    assert {row.pid for row in rows_of(uri, name)} == {one.process.pid for one in started[:2]}


def test_what_a_killed_process_of_this_machine_held_is_free_without_a_wait(
    uri: str, name: str, started: list[HolderProcess]
) -> None:
    started.append(HolderProcess.start(uri, name, "write"))
    started[0].go_on()
    assert started[0].read() == "held"
    started[0].kill()
    assert len(rows_of(uri, name)) == 1
    lease = lease_of(uri, name, writes=True, timing=LeaseTiming(expiry=100_000))
    lease.take("data", Use.WRITE)
    assert lease.is_kept
    assert [row.lease for row in rows_of(uri, name)] == [lease._mine.lease]
    lease.release()
    assert rows_of(uri, name) == []


def put_elsewhere(uri: str, name: str, age: float | None) -> Holder:
    """A holder on another machine, whose last heartbeat is so old by the server's clock."""
    table = LeaseTable(Settings(host=uri))
    table.open()
    now = table.now()
    written = None if now is None or age is None else now - age
    far = replace(Holder.here(name, "data", "searches"), machine="another", host="far", run="run-1", written=written)
    row = replace(far, beat=1, use=Use.WRITE, claimed=False)
    table.write(row)
    table.close()
    return row


def test_milvus_tells_the_age_of_a_heartbeat_of_another_machine(milvus_uri: str, name: str) -> None:
    fresh = put_elsewhere(milvus_uri, name, 0)
    with pytest.raises(SettingsError, match="is in use by run run-1 on host far"):
        lease_of(milvus_uri, name).take("data", Use.READ)
    assert rows_of(milvus_uri, name) == [fresh]
    put_elsewhere(milvus_uri, f"{name}_old", 61)
    lease = lease_of(milvus_uri, f"{name}_old")
    lease.take("data", Use.READ)
    assert [row.lease for row in rows_of(milvus_uri, f"{name}_old")] == [lease._mine.lease]
    lease.release()


def test_a_missed_heartbeat_is_waited_for_and_counts_when_it_comes(milvus_uri: str, name: str) -> None:
    late = put_elsewhere(milvus_uri, name, 40)
    reported: list[str] = []
    refused: list[str] = []

    def take() -> None:
        try:
            lease_of(milvus_uri, name, reported).take("data", Use.READ)
        except SettingsError as error:
            refused.append(str(error))

    waiting = threading.Thread(target=take)
    waiting.start()
    assert wait_until(lambda: bool(reported), 30)
    assert f"Waiting for collection '{name}', in use by run run-1 on host far" in reported[0]
    table = LeaseTable(Settings(host=milvus_uri))
    table.write(late.next(written=table.now()))
    waiting.join(30)
    assert "is in use by run run-1" in refused[0]
    table.remove(late.next())
    table.close()


def test_lite_has_no_clock_so_the_heartbeat_is_watched(lite_uri: str, name: str) -> None:
    put_elsewhere(lite_uri, name, None)
    reported: list[str] = []
    lease = lease_of(lite_uri, name, reported, timing=LeaseTiming(beat=15, expiry=2))
    lease.take("data", Use.READ)
    assert "Waiting for collection" in reported[0]
    assert [row.lease for row in rows_of(lite_uri, name)] == [lease._mine.lease]
    lease.release()


def test_a_heartbeat_renews_the_lease_and_leaves_one_row(uri: str, name: str) -> None:
    lease = lease_of(uri, name, timing=LeaseTiming(beat=0.2))
    lease.take("data", Use.READ)
    (first,) = rows_of(uri, name)
    lease.name_run("run-7")
    assert wait_until(lambda: [row.run for row in rows_of(uri, name) if row.beat > first.beat + 2] == ["run-7"], 30)
    lease.release()
    with client_of(uri) as client:
        where = f'collection == "{name}"'
        assert client.query(LEASES, filter=where, output_fields=["lease"], consistency_level="Strong") == []


def test_the_table_of_leases_is_no_collection_to_measure(milvus_uri: str) -> None:
    with pytest.raises(SettingsError, match="is reserved for this tool's leases"):
        settings_for(milvus_uri, LEASES)


@pytest.fixture
def prepared(uri: str, name: str) -> Iterator[Settings]:
    settings = settings_for(uri, name, index_type="HNSW")
    prepare_for(settings)
    yield settings
    with client_of(uri) as client:
        client.drop_collection(name)


def test_what_is_as_it_should_be_is_neither_flushed_nor_released_nor_loaded(
    prepared: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pymilvus import MilvusClient

    for forbidden in ("flush", "release_collection", "drop_collection", "create_index", "insert"):
        monkeypatch.setattr(MilvusClient, forbidden, None)
    for writes in (False, True):
        lease = lease_of(prepared.host, prepared.collection, writes=writes)
        result = prepare(prepared, open_dataset(prepared), print, None, lease)
        assert (result.reused, result.rows, result.index) == (True, ROWS, "HNSW")
        assert [row.use for row in rows_of(prepared.host, prepared.collection)] == [Use.WRITE if writes else Use.READ]
        lease.release()


def test_what_is_not_loaded_is_loaded_again_but_not_while_somebody_else_searches(
    prepared: Settings, started: list[HolderProcess]
) -> None:
    with client_of(prepared.host) as client:
        client.release_collection(prepared.collection)
    started.append(HolderProcess.start(prepared.host, prepared.collection, "read"))
    started[0].go_on()
    assert started[0].read() == "held"
    lease = lease_of(prepared.host, prepared.collection)
    with pytest.raises(SettingsError, match=f"pid {started[0].process.pid}"):
        prepare(prepared, open_dataset(prepared), print, None, lease)
    started[0].end()
    assert prepare(prepared, open_dataset(prepared), print, None, lease).reused
    assert count_rows(prepared.host, prepared.collection) == ROWS
    lease.release()


def test_fresh_and_other_data_name_who_uses_the_collection_and_leave_it(
    prepared: Settings, started: list[HolderProcess]
) -> None:
    started.append(HolderProcess.start(prepared.host, prepared.collection, "read"))
    started[0].go_on()
    assert started[0].read() == "held"
    for given, reported in (({"fresh": True}, 1), ({"rows": 900}, 2)):
        changed = prepared.model_copy(update=given)
        lease = lease_of(prepared.host, prepared.collection)
        with pytest.raises(SettingsError) as caught:
            prepare(changed, open_dataset(changed), print, None, lease)
        lease.release()
        assert len(caught.value.faults) == reported
        assert f"(pid {started[0].process.pid})" in caught.value.faults[-1].problem
    assert count_rows(prepared.host, prepared.collection) == ROWS


def test_a_role_that_may_keep_no_leases_is_warned_and_runs(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    with guarded_milvus(tmp_path_factory.mktemp("guarded")) as address:
        root = settings_for(address, name, token="root:Milvus")
        prepare_for(root)
        client = open_client(address, token="root:Milvus")
        client.create_user("reader", "Secret1!")
        client.create_role("reading")
        for privilege in ("Search", "Query", "Load", "IndexDetail", "GetStatistics"):
            client.grant_privilege("reading", "Collection", privilege, name)
        for privilege in ("DescribeCollection", "ShowCollections"):
            client.grant_privilege("reading", "Global", privilege, "*")
        client.grant_role("reader", "reading")
        client.close()
        reader = root.model_copy(update={"token": type(root.token)("reader:Secret1!")})
        reported: list[str] = []
        lease = Lease(reader, "searches", reported.append)
        try:
            result = prepare(reader, open_dataset(reader), reported.append, None, lease)
        finally:
            lease.release()
        assert result.reused
        assert [line for line in reported if f"no lease can be kept in collection '{LEASES}'" in line]
        assert lease.sharers is None
