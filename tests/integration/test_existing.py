"""An existing collection is measured as it is: its server stays unchanged, and a run deletes the rows it inserted."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymilvus import DataType, MilvusClient

from loadgen.measure.sample import Outcome
from loadgen.milvus.store import inspect_collection, sample_ids
from loadgen.milvus.store.sampling import fetch_rows
from loadgen.settings.model import Settings
from tests.integration.faulty_server import faulty_server
from tests.integration.locust_command import Run, record_of, run_locust, start_locust
from tests.integration.plain_clients import client_of

ROWS = 1_500
DIM = 16
BRIEF = ("--concurrency", "2", "--rounds", "1", "--phase-seconds", "0.5", "--warmup-seconds", "0.1", "--queries", "60")
BOTH = ("--variants", "sync; pymilvus/async")
ONLY_PYMILVUS = ("--variants", "pymilvus/sync; pymilvus/async")
STRONG: Any = {"output_fields": ["count(*)"], "consistency_level": "Strong"}
INDEXES = {
    "int64": ("IVF_FLAT", "L2", {"nlist": 16}),
    "varchar": ("HNSW", "COSINE", {"M": 8, "efConstruction": 64}),
    "binary": ("BIN_FLAT", "HAMMING", {}),
    "sparse": ("SPARSE_INVERTED_INDEX", "IP", {}),
}


def make_collection(client: MilvusClient, kind: str, name: str) -> None:
    """A collection with foreign names, as plain pymilvus makes it: filled, indexed and loaded."""
    index, metric, params = INDEXES[kind]
    schema = client.create_schema(auto_id=False, enable_dynamic_field=kind == "int64")
    if kind == "varchar":
        schema.add_field("pk", DataType.VARCHAR, is_primary=True, max_length=64)
    else:
        schema.add_field("pk", DataType.INT64, is_primary=True)
    if kind == "sparse":
        schema.add_field("vec", DataType.SPARSE_FLOAT_VECTOR)
    else:
        schema.add_field("vec", DataType.BINARY_VECTOR if kind == "binary" else DataType.FLOAT_VECTOR, dim=DIM)
    schema.add_field("body", DataType.VARCHAR, max_length=200)
    schema.add_field("year", DataType.INT64)
    parameters = client.prepare_index_params()
    parameters.add_index("vec", index_type=index, metric_type=metric, params=params)
    client.create_collection(name, schema=schema, index_params=parameters)
    generator = np.random.default_rng(1)
    rows = [
        {
            "pk": f"k{number}" if kind == "varchar" else 7 * number,
            "vec": make_vector(kind, generator),
            "body": f"text {number}",
            "year": 2000 + number % 20,
        }
        for number in range(ROWS)
    ]
    client.insert(name, rows)
    client.flush(name)
    client.load_collection(name)


def make_vector(kind: str, generator: np.random.Generator) -> Any:
    if kind == "binary":
        return np.packbits(generator.integers(0, 2, DIM)).tobytes()
    if kind == "sparse":
        return {int(place): float(generator.random()) + 0.1 for place in generator.choice(500, 8, replace=False)}
    return generator.standard_normal(DIM).astype(np.float32).tolist()


@pytest.fixture(scope="module")
def collections(milvus_uri: str, lite_uri: str) -> Iterator[dict[str, str]]:
    """The server of each collection, by the collection's name."""
    wanted = {"int64": milvus_uri, "varchar": milvus_uri, "binary": milvus_uri, "sparse": lite_uri}
    made = {}
    for kind, uri in wanted.items():
        with client_of(uri) as client:
            make_collection(client, kind, f"foreign_{kind}")
        made[f"foreign_{kind}"] = uri
    with client_of(milvus_uri) as client:
        client.create_alias("foreign_int64", "other_name")
    with client_of(lite_uri) as client:
        make_collection(client, "int64", "foreign_on_lite")
    yield made | {"foreign_on_lite": lite_uri}
    with client_of(milvus_uri) as client:
        client.drop_alias("other_name")
    for name, uri in (made | {"foreign_on_lite": lite_uri}).items():
        with client_of(uri) as client:
            client.drop_collection(name)


def state_of(uri: str, name: str) -> dict[str, Any]:
    """Everything that the server says of a collection, and the names of all."""
    with client_of(uri) as client:
        try:
            segments = sorted((one.segment_id, one.num_rows) for one in client.list_persistent_segments(name))
        except Exception:  # noqa: BLE001 - Milvus Lite has none
            segments = []
        return {
            "all": sorted(client.list_collections()),
            "described": {key: str(value) for key, value in client.describe_collection(name).items()},
            "indexes": [client.describe_index(name, index) for index in client.list_indexes(name)],
            "loaded": str(client.get_load_state(name)["state"]),
            "segments": segments,
            "rows": client.query(name, **STRONG)[0]["count(*)"],
        }


def measure(uri: str, name: str, folder: Path, *flags: str, **more: Any) -> Run:
    return run_locust(folder, "--host", uri, "--collection", name, "--existing", *BRIEF, *flags, **more)


@pytest.mark.parametrize(
    ("name", "variants", "described"),
    [
        ("foreign_int64", BOTH, ("L2", "IVF_FLAT", 16)),
        ("foreign_varchar", BOTH, ("COSINE", "HNSW", 16)),
        ("foreign_on_lite", BOTH, ("L2", "IVF_FLAT", 16)),
        ("foreign_binary", ONLY_PYMILVUS, ("HAMMING", "BIN_FLAT", 16)),
        ("foreign_sparse", ONLY_PYMILVUS, ("IP", "SPARSE_INVERTED_INDEX", 0)),
    ],
)
def test_a_foreign_collection_is_measured_and_its_server_is_as_before(
    collections: dict[str, str], tmp_path: Path, name: str, variants: tuple[str, ...], described: tuple[object, ...]
) -> None:
    uri = collections[name]
    before = state_of(uri, name)
    run = measure(uri, name, tmp_path, *variants)
    run.assert_good()
    assert state_of(uri, name) == before
    record = record_of(tmp_path)
    settings = record.manifest.settings
    assert (settings["metric"], settings["index_type"], settings["dim"]) == described
    assert record.manifest.rows == settings["rows"] == ROWS
    assert (settings["id_field"], settings["embedding_field"], settings["text_field"]) == ("pk", "vec", "body")
    assert record.manifest.index["index_type"] == described[1]
    assert record.manifest.shared_with is None
    searches = [one for phase in record.phases for one in phase.operations]
    assert [one.operation for one in searches] == ["search"] * 4
    assert all(set(one.outcomes) == {"ok"} and one.recall is None for one in searches)
    assert all(one.verdict != "invalid" for one in record.comparisons)
    assert "Recall was not measured" in run.out
    assert "give the same answers to 50 queries" in run.err


def test_two_workers_insert_rows_of_their_own_and_the_run_deletes_them(
    collections: dict[str, str], tmp_path: Path
) -> None:
    uri, name = collections["foreign_varchar"], "foreign_varchar"
    flags = ("--allow-writes", *ONLY_PYMILVUS, "--processes", "2")
    run = measure(uri, name, tmp_path, *flags, files="mixed.py")
    run.assert_good()
    phases = record_of(tmp_path).phases
    inserted = sum(
        one.outcomes.get(Outcome.OK, 0) for phase in phases for one in phase.operations if one.operation == "insert"
    )
    assert inserted > 0
    assert "inserted rows from collection 'foreign_varchar'" in run.err
    assert "Rows that the run inserts into 'foreign_varchar' are those with pk like \"loadgen-" in run.err
    with client_of(uri) as client:
        assert client.query(name, **STRONG)[0]["count(*)"] == ROWS
        assert client.query(name, filter='pk like "loadgen-%"', **STRONG)[0]["count(*)"] == 0


def test_a_run_whose_rows_remain_in_the_collection_fails_and_says_which(
    collections: dict[str, str], tmp_path: Path
) -> None:
    name = "foreign_varchar"
    with faulty_server(collections[name]) as server:
        server.forbidden = frozenset({"Delete"})
        run = measure(server.uri, name, tmp_path, "--allow-writes", *ONLY_PYMILVUS, files="insert.py")
    run.assert_good(1)
    said = f"rows inserted by the run remain in collection '{name}', those with pk like \"loadgen-"
    assert run.out.splitlines()[-1].startswith(f"Exit code 1: {said}")
    with client_of(collections[name]) as client:
        assert client.query(name, filter='pk like "loadgen-%"', **STRONG)[0]["count(*)"] > 0
        client.delete(name, filter='pk like "loadgen-%"')
        assert client.query(name, **STRONG)[0]["count(*)"] == ROWS


def test_an_interrupted_run_deletes_its_rows_too(collections: dict[str, str], tmp_path: Path) -> None:
    uri = collections["foreign_int64"]
    flags = ("--headless", "--host", uri, "--collection", "foreign_int64", "--existing", "--allow-writes")
    timed = ("--variants", "pymilvus/async", "--concurrency", "4", "--phase-seconds", "60", "--warmup-seconds", "0")
    run = start_locust(tmp_path, *flags, *timed, "--queries", "60", files="insert.py")
    with client_of(uri) as client:
        for _ in range(400):
            if client.query("foreign_int64", **STRONG)[0]["count(*)"] > ROWS + 20:
                break
        run.process.send_signal(signal.SIGINT)
        run.finish()
        assert run.code == 130, run.err
        assert client.query("foreign_int64", **STRONG)[0]["count(*)"] == ROWS


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (("--dim", "768"), "--dim 768: contradicts collection 'foreign_int64', which has 16"),
        (("--metric", "COSINE"), "--metric COSINE: contradicts collection 'foreign_int64', which has L2"),
        (("--text-field", "nothing"), "--text-field nothing: is not such a field of collection 'foreign_int64'"),
        (("--queries-per-search", "2"), "--queries-per-search 2: is more than llamaindex can send in one search"),
        (("--require", "search recall > 0.5"), "leaves the required recall unmeasured"),
        (("--collection", "foreign_int46"), "--collection foreign_int46: does not exist. Did you mean foreign_int64?"),
        (("--collection", "foreign_binary"), "has binary vectors, which LlamaIndex cannot search"),
        (("--variants", "async; async top-k=2000"), "--top-k 2000: is more than the 1,500 rows of collection"),
        (("--collection", "other_name"), "is an alias of 'foreign_int64'. Use --collection foreign_int64."),
    ],
)
def test_what_cannot_be_measured_is_refused_before_any_load(
    collections: dict[str, str], tmp_path: Path, flags: tuple[str, ...], expected: str
) -> None:
    run = measure(collections["foreign_int64"], "foreign_int64", tmp_path, *flags)
    assert run.code == 2
    assert expected in run.out + run.err


def test_users_that_insert_need_a_flag_and_a_client_that_can(collections: dict[str, str], tmp_path: Path) -> None:
    uri = collections["foreign_int64"]
    refused = measure(uri, "foreign_int64", tmp_path / "a", files="mixed.py")
    assert refused.code == 2
    assert "is read-only with --existing, but the users may insert or delete" in refused.out + refused.err
    refused = measure(uri, "foreign_int64", tmp_path / "b", "--allow-writes", files="mixed.py")
    assert refused.code == 2
    assert "LlamaIndex: it did not create collection 'foreign_int64'" in refused.out + refused.err


def test_a_collection_that_is_not_loaded_or_indexed_is_refused_with_the_command_that_mends_it(
    milvus_uri: str, tmp_path: Path
) -> None:
    with client_of(milvus_uri) as client:
        make_collection(client, "int64", "released")
        client.release_collection("released")
        refused = measure(milvus_uri, "released", tmp_path / "a")
        assert refused.code == 2
        text = refused.out + refused.err
        assert "--collection released: is not loaded" in text
        code = text.split('python -c "', 1)[1].split('"', 1)[0]
        exec(code, {})  # noqa: S102 - the command that the error gives
        measure(milvus_uri, "released", tmp_path / "b").assert_good()
        client.release_collection("released")
        client.drop_index("released", "vec")
        refused = measure(milvus_uri, "released", tmp_path / "c")
        assert "has no index on vec" in refused.out + refused.err
        client.drop_collection("released")


def test_queries_are_of_rows_from_the_whole_range_of_a_number(milvus_uri: str) -> None:
    """Milvus returns the smallest ids first, and 16,384 rows at most."""
    rows, step = 20_000, 1_000_003
    with client_of(milvus_uri) as client:
        client.create_collection("wide", dimension=4, metric_type="L2")
        for start in range(0, rows, 5_000):
            numbers = range(start, start + 5_000)
            client.insert(
                "wide", [{"id": number * step, "vector": [float(number), 1.0, 2.0, 3.0]} for number in numbers]
            )
        client.flush("wide")
        settings = Settings.parse({"host": milvus_uri, "collection": "wide", "existing": True})
        info = inspect_collection(settings, [("llamaindex", settings)])
        ids = [int(one) for one in sample_ids(settings, info, 500)]
        assert ids == [int(one) for one in sample_ids(settings, info, 500)]
        assert 400 <= len(set(ids)) == len(ids)
        assert {one % step for one in ids} == {0}
        halves = [sum(low <= one // step < low + rows // 2 for one in ids) for low in (0, rows // 2)]
        assert min(halves) > 100, "both halves are sampled"
        result = fetch_rows(settings, info, ids, ["vector"])
        assert [(row["id"], row["vector"][0]) for row in result] == [(one, float(one // step)) for one in ids]
        client.drop_collection("wide")


def test_a_text_key_that_is_too_short_for_new_ids_is_refused(lite_uri: str, tmp_path: Path) -> None:
    with client_of(lite_uri) as client:
        client.create_collection("short_keys", dimension=4, id_type="string", max_length=12)
        client.insert(
            "short_keys", [{"id": f"k{number}", "vector": [float(number), 1.0, 2.0, 3.0]} for number in range(50)]
        )
    run = measure(lite_uri, "short_keys", tmp_path, "--allow-writes", *ONLY_PYMILVUS, files="insert.py")
    assert run.code == 2
    assert "the ids of collection 'short_keys' have 12 characters at most" in run.out + run.err


def test_what_llamaindex_made_can_be_read_and_written_by_it(lite_uri: str, tmp_path: Path) -> None:
    flags = ("--host", lite_uri, "--collection", "of_llamaindex", "--rows", "300", "--dim", "16", "--clusters", "8")
    run_locust(tmp_path / "made", *flags, *BRIEF).assert_good()
    run = measure(lite_uri, "of_llamaindex", tmp_path / "used", "--allow-writes", files="mixed.py")
    run.assert_good()
    with client_of(lite_uri) as client:
        assert client.query("of_llamaindex", **STRONG)[0]["count(*)"] == 300
    assert record_of(tmp_path / "used").manifest.settings["doc_id_field"] == "doc_id"
