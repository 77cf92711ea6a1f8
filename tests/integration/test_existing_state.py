"""Whatever a run asks of an existing collection: rows, indexes, segments and load state are as before."""

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymilvus import DataType, Function, FunctionType, MilvusClient
from pymilvus.client.types import LoadState

from loadgen.measure.sample import Outcome
from loadgen.milvus.store import inspect_collection, sample_ids, sampling
from loadgen.results.record import RunRecord
from loadgen.settings.model import Settings
from tests.integration.forked import run_forked
from tests.integration.locust_command import LOADGEN, ROOT, record_of, run_locust
from tests.integration.plain_clients import client_of
from tests.integration.store_support import make_foreign

NAME = "papers_of_tenants"
ROWS, DIM, TENANTS = 600, 16, 5
BRIEF = ("--concurrency", "2", "--rounds", "1", "--phase-seconds", "0.5", "--warmup-seconds", "0.1", "--queries", "40")
STRONG: Any = {"output_fields": ["count(*)"], "consistency_level": "Strong"}


def make_collection(client: MilvusClient) -> None:
    """By plain pymilvus: partitions, a field with an underscore first, a truth value, tenants in the dynamic field."""
    schema = client.create_schema(auto_id=False, enable_dynamic_field=True)
    schema.add_field("pk", DataType.INT64, is_primary=True)
    schema.add_field("vec", DataType.FLOAT_VECTOR, dim=DIM)
    schema.add_field("body", DataType.VARCHAR, max_length=200)
    schema.add_field("_kind", DataType.INT64)
    schema.add_field("open", DataType.BOOL)
    schema.add_field("tags", DataType.JSON)
    parameters = client.prepare_index_params()
    parameters.add_index("vec", index_type="FLAT", metric_type="L2")
    client.create_collection(NAME, schema=schema, index_params=parameters)
    generator = np.random.default_rng(1)
    for part, name in enumerate(("even", "odd")):
        client.create_partition(NAME, name)
        rows = [
            {
                "pk": number,
                "vec": generator.standard_normal(DIM).astype(np.float32).tolist(),
                "body": f"text {number}",
                "_kind": number % 3,
                "open": number % 4 == 0,
                "tags": {"number": number},
                "tenant": f"t{number % TENANTS}",
            }
            for number in range(part, ROWS, 2)
        ]
        client.insert(NAME, rows, partition_name=name)
    client.flush(NAME)
    client.load_collection(NAME)


@pytest.fixture(scope="module", params=["milvus", "lite"])
def uri(request: pytest.FixtureRequest) -> Iterator[str]:
    address: str = request.getfixturevalue(f"{request.param}_uri")
    with client_of(address) as client:
        make_collection(client)
    yield address
    with client_of(address) as client:
        client.drop_collection(NAME)


def segments_of(client: Any) -> list[tuple[Any, ...]]:
    """All stored segments; Milvus Lite reports none."""
    try:
        return sorted((one.segment_id, one.num_rows, str(one.state)) for one in client.list_persistent_segments(NAME))
    except Exception:  # noqa: BLE001 - it is refused in its own way
        return []


def state_of_part(client: Any, name: str) -> tuple[str, int | None]:
    """Whether a partition is loaded, and its rows if it is."""
    loaded = client.get_load_state(NAME, partition_name=name)["state"]
    if loaded != LoadState.Loaded:
        return str(loaded), None
    return str(loaded), client.query(NAME, filter="pk >= 0", partition_names=[name], **STRONG)[0]["count(*)"]


def state_of(uri: str) -> dict[str, Any]:
    """Everything that the server says of the collection and its partitions, and the names of all collections."""
    with client_of(uri) as client:
        return {
            "all": sorted(client.list_collections()),
            "described": {key: str(value) for key, value in client.describe_collection(NAME).items()},
            "indexes": [client.describe_index(NAME, index) for index in client.list_indexes(NAME)],
            "loaded": str(client.get_load_state(NAME)["state"]),
            "segments": segments_of(client),
            "rows": client.query(NAME, **STRONG)[0]["count(*)"],
            "parts": {name: state_of_part(client, name) for name in sorted(client.list_partitions(NAME))},
        }


def test_the_state_that_is_compared_shows_rows_partitions_and_segments(uri: str) -> None:
    before = state_of(uri)
    assert (before["rows"], before["loaded"]) == (ROWS, "Loaded")
    assert before["parts"]["even"] == before["parts"]["odd"] == ("Loaded", ROWS // 2)
    assert sum(rows for _, rows, _ in before["segments"]) in (0, ROWS), "Milvus Lite reports no segments"
    assert len(before["indexes"]) == 1


def measure(uri: str, folder: Path, *flags: str) -> RunRecord:
    """A run that must leave the server as it was."""
    before = state_of(uri)
    run_locust(folder, "--host", uri, "--collection", NAME, "--existing", *BRIEF, *flags).assert_good()
    assert state_of(uri) == before
    record = record_of(folder)
    assert all(set(one.outcomes) == {Outcome.OK} for phase in record.phases for one in phase.operations)
    return record


def test_searches_with_filters_of_its_own_values_and_in_partitions(uri: str, tmp_path: Path) -> None:
    text = (
        'tenant: sync filter="tenant == {tenant}"; kind: pymilvus/async filter="_kind == {_kind} and open == {open}"; '
        'open: async filter="open == {open}"; fixed: async filter="pk >= 300"; part: sync partitions=even,odd'
    )
    record = measure(uri, tmp_path, "--variants", text)
    shares = {one.name: one.selectivity.mean for one in record.manifest.variants if one.selectivity}
    assert shares["tenant"] == pytest.approx(1 / TENANTS)
    assert (shares["fixed"], shares["part"]) == (0.5, 0.5)
    assert 1 / 12 <= (shares["kind"] or 0) <= 3 / 12
    assert 1 / 4 <= (shares["open"] or 0) <= 3 / 4


def test_searches_with_queries_of_a_file_and_values_of_the_rows(uri: str, tmp_path: Path) -> None:
    np.save(tmp_path / "queries.npy", np.random.default_rng(2).standard_normal((40, DIM)).astype(np.float32))
    flags = ("--query-file", str(tmp_path / "queries.npy"), "--filter", "tenant == {tenant}")
    record = measure(uri, tmp_path, *flags)
    assert record.manifest.settings["queries"] == 40
    assert all(one.selectivity and one.selectivity.mean == 1 / TENANTS for one in record.manifest.variants)


def prepare(folder: Path, *flags: str) -> "subprocess.CompletedProcess[str]":
    return run_forked([LOADGEN, "prepare", "-f", str(ROOT / "locustfiles" / "search.py"), *flags], folder, os.environ)


def test_loadgen_prepare_only_looks(uri: str, tmp_path: Path) -> None:
    before = state_of(uri)
    own = ("--host", uri, "--collection", NAME, "--existing", "--queries", "40")
    done = prepare(tmp_path, *own, "--filter", "tenant == {tenant}", "--partitions", "even")
    assert done.returncode == 0, done.stderr
    assert "Nothing was prepared: an existing collection is measured as it is" in done.stdout
    refused = prepare(tmp_path, *own, "--filter", "tenant == {tennant}")
    assert refused.returncode == 2
    assert f"draws {{tennant}}, which collection '{NAME}' has in none of its sampled rows" in refused.stderr
    assert "Did you mean {tenant}?" in refused.stderr
    assert state_of(uri) == before


def test_sampling_the_ids_of_a_large_collection(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "WINDOW", 200)  # as if it had more rows than one query returns
    before = state_of(uri)
    settings = Settings.parse({"host": uri, "collection": NAME, "existing": True})
    info = inspect_collection(settings, [("llamaindex", settings)])
    ids = [int(one) for one in sample_ids(settings, info, 100)]
    assert len(set(ids)) > 50
    assert min(ids) < ROWS // 4
    assert max(ids) > ROWS // 2
    assert state_of(uri) == before


def write(uri: str, name: str, folder: Path, variants: str) -> None:
    """Search, insert and delete by the variants, without a failure; the rows of the run are gone in the end."""
    with client_of(uri) as client:
        before = client.query(name, **STRONG)[0]["count(*)"]
        flags = ("--existing", "--allow-writes", "--variants", variants)
        run_locust(folder, "--host", uri, "--collection", name, *BRIEF, *flags, files="mixed.py").assert_good()
        parts = [part for phase in record_of(folder).phases for part in phase.operations]
        assert {outcome for part in parts for outcome in part.outcomes} == {Outcome.OK}
        assert {part.operation for part in parts} >= {"search", "insert"}
        assert client.query(name, **STRONG)[0]["count(*)"] == before


BY_PYMILVUS = "pymilvus/sync; pymilvus/async"


def test_inserted_rows_have_every_field_of_the_schema(uri: str, tmp_path: Path) -> None:
    write(uri, NAME, tmp_path, BY_PYMILVUS)


def test_both_clients_write_into_a_collection_of_llamaindex_and_read_what_the_other_wrote(
    uri: str, tmp_path: Path
) -> None:
    make_foreign(uri, "nodes", DIM, 60)
    write(uri, "nodes", tmp_path, "sync; pymilvus/async")
    with client_of(uri) as client:
        client.drop_collection("nodes")


def test_rows_are_inserted_without_the_fields_that_the_server_fills(lite_uri: str, tmp_path: Path) -> None:
    with client_of(lite_uri) as client:
        schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("pk", DataType.INT64, is_primary=True)
        schema.add_field("vec", DataType.FLOAT_VECTOR, dim=DIM)
        schema.add_field("body", DataType.VARCHAR, max_length=200, enable_analyzer=True)
        schema.add_field("words", DataType.SPARSE_FLOAT_VECTOR)
        names: Any = {"input_field_names": ["body"], "output_field_names": ["words"]}
        schema.add_function(Function(name="f", function_type=FunctionType.BM25, **names))
        parameters = client.prepare_index_params()
        parameters.add_index("vec", index_type="FLAT", metric_type="L2")
        parameters.add_index("words", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
        client.create_collection("worded", schema=schema, index_params=parameters)
        generator = np.random.default_rng(1)
        rows = [
            {"pk": number, "vec": generator.standard_normal(DIM).tolist(), "body": f"some words {number}"}
            for number in range(100)
        ]
        client.insert("worded", rows)
        client.load_collection("worded")
    write(lite_uri, "worded", tmp_path, BY_PYMILVUS)
    with client_of(lite_uri) as client:
        client.drop_collection("worded")


def test_the_first_screen_of_the_readme_measures_a_collection_that_plain_pymilvus_made(
    uri: str, tmp_path: Path
) -> None:
    first = (ROOT / "README.md").read_text().splitlines()[:30]
    (command,) = [line for line in first if line.startswith("locust ") and "--existing" in line]
    flags = shlex.split(command)[1:]
    assert flags[:3] == ["-f", "locustfiles/search.py", "--headless"]
    shown = {"http://my-milvus:19530": uri, "papers": "papers"}
    with client_of(uri) as client:
        client.create_collection("papers", dimension=DIM)
        generator = np.random.default_rng(1)
        rows = [{"id": number, "vector": generator.standard_normal(DIM).tolist()} for number in range(300)]
        client.insert("papers", rows)
        client.flush("papers")
        # the command as it is shown, in less time
        brief = (*BRIEF, "--variants", "sync; async")
        run = run_locust(tmp_path, *(shown.get(flag, flag) for flag in flags[3:]), *brief)
        run.assert_good()
        assert "Measuring collection 'papers' as it is: 300 rows, float32 of dim 16" in run.out + run.err
        assert client.query("papers", **STRONG)[0]["count(*)"] == 300
        client.drop_collection("papers")
