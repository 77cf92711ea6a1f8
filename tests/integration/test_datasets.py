"""Rows, queries and neighbours of files on real servers."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from loadgen.milvus.server import EmbeddedServer
from tests.integration.forked import run_forked
from tests.integration.locust_command import LOADGEN, ROOT, Run, record_of, run_locust
from tests.integration.plain_clients import client_of
from tests.integration.store_support import count_rows, make_foreign
from tests.integration.test_locust_recall import BRIEF, recalls
from tests.unit.dataset_support import DIM, QUERIES, ROWS, make_data, write_folder, write_json, write_npy, write_parts

EXACT = ("--index-type", "FLAT", "--consistency", "Strong", "--recall-every", "1")
ONE_MODE = ("-u", "2", "-r", "2", "-t", "2s")


def run(folder: Path, server: EmbeddedServer, path: Path, *flags: str) -> Run:
    name = ("--host", server.uri, "--collection", f"file_{path.stem}", "--dataset", str(path))
    return run_locust(folder, *name, *EXACT, *(BRIEF if "--mode" not in flags else ONE_MODE), *flags)


@pytest.fixture
def hdf5(tmp_path: Path) -> Path:
    return write_parts(tmp_path / "parts.hdf5", make_data())


def test_an_hdf5_file_is_loaded_and_its_own_neighbours_are_found(
    milvus: EmbeddedServer, tmp_path: Path, hdf5: Path
) -> None:
    done = run(
        tmp_path, milvus, hdf5, "--processes", "2", "--query-skew", "zipf:1.1", "--require", "search recall >= 1"
    )
    done.assert_good()
    assert f"Exact neighbours of {QUERIES} queries: from the dataset" in done.err
    record = record_of(tmp_path)
    assert recalls(record) == [1.0] * 4
    manifest = record.manifest
    assert (manifest.rows, manifest.dataset, len(manifest.fingerprint)) == (ROWS, str(hdf5), 16)
    used = manifest.settings
    assert [used[name] for name in ("dim", "metric", "rows", "queries")] == [DIM, "L2", ROWS, QUERIES]
    assert count_rows(milvus.uri, "file_parts") == ROWS
    again = run(tmp_path / "again", milvus, hdf5, "--mode", "async", "--rows", str(ROWS))
    again.assert_good()
    assert f"{ROWS} rows reused" in again.err


def test_a_folder_of_parquet_files_is_loaded_with_its_labels(milvus: EmbeddedServer, tmp_path: Path) -> None:
    path = write_folder(tmp_path / "bench", make_data("COSINE"))
    queries = write_npy(tmp_path / "queries.npy", make_data("COSINE", seed=8))
    done = run(tmp_path, milvus, path, "--query-file", str(queries), "--queries", "40", "--mode", "async")
    done.assert_good()
    assert "Exact neighbours of 40 queries: computed" in done.err
    assert recalls(record_of(tmp_path)) == [1.0]
    with client_of(milvus.uri) as client:
        rows = client.query("file_bench", filter="row == 7", output_fields=["file_id", "labels"])
    assert rows[0]["labels"] == f"label_{rows[0]['file_id']}"


def test_an_existing_collection_is_asked_the_queries_of_a_file(lite: EmbeddedServer, tmp_path: Path) -> None:
    make_foreign(lite.uri, "file_foreign", DIM, 40)
    path = write_npy(tmp_path / "queries.npy", make_data())
    flags = ("--host", lite.uri, "--collection", "file_foreign", "--dataset", "existing", "--query-file", str(path))
    done = run_locust(tmp_path, *flags, "--queries", "30", "--mode", "sync", *ONE_MODE)
    done.assert_good()
    manifest = record_of(tmp_path).manifest
    assert (manifest.dataset, manifest.fingerprint, manifest.rows) == ("existing", "", 40)
    assert (manifest.settings["queries"], manifest.settings["query_file"]) == (30, str(path))
    for vectors, expected in (
        (np.ones((3, 5)), "has queries of dimension 5, and the collection has 12."),
        (np.full((3, DIM), np.nan), "NaN"),
    ):
        np.save(path, vectors.astype(np.float32))
        refused = run_locust(tmp_path / "refused", *flags, "--mode", "sync", *ONE_MODE)
        assert refused.code == 2
        assert f"--query-file {path}: " in refused.err
        assert expected in refused.err


def test_texts_of_json_lines_are_searched_and_rows_inserted(lite: EmbeddedServer, tmp_path: Path) -> None:
    path = write_json(tmp_path / "texts.jsonl", make_data())
    done = run(tmp_path, lite, path, "--metric", "L2", "--mode", "sync", "--queries", "30")
    done.assert_good()
    assert recalls(record_of(tmp_path)) == [1.0]
    with client_of(lite.uri) as client:
        (row,) = client.query("file_texts", filter="row == 7", output_fields=["*"])
    assert (row["text"], row["year"], row["file_id"]) == ("text 7", 2000, "doc 7")
    flags = ("--host", lite.uri, "--collection", "file_texts", "--dataset", str(path), "--metric", "L2")
    more = ("--index-type", "FLAT", "--consistency", "Strong", "--mode", "async", "-u", "1", "-t", "1s")
    run_locust(tmp_path / "insert", *flags, *more, files="insert.py").assert_good()
    inserted = count_rows(lite.uri, "file_texts") - ROWS
    with client_of(lite.uri) as client:
        result = client.query("file_texts", filter='loadgen == "inserted"', output_fields=["text"], limit=16_000)
    assert inserted == len(result) > 0
    assert all(one["text"].startswith("text ") for one in result)


def test_a_bad_file_sends_nothing(lite: EmbeddedServer, tmp_path: Path) -> None:
    data = make_data()
    data.train[200] = np.nan
    path = write_parts(tmp_path / "broken.hdf5", data)
    done = run(tmp_path, lite, path)
    assert done.code == 2
    assert f"--dataset {path}: row 200 contains a value that is not finite in float32 (NaN or infinity)." in done.err
    assert "Traceback" not in done.out + done.err
    wrong = run(tmp_path, lite, path, "--dim", "5", "--rows", "900")
    assert wrong.code == 2
    assert "2 settings are wrong; nothing was sent:" in wrong.err
    with client_of(lite.uri) as client:
        assert not client.has_collection("file_broken")


def test_a_long_dataset_is_prepared_beforehand(lite: EmbeddedServer, tmp_path: Path, hdf5: Path) -> None:
    command = [LOADGEN, "prepare", "-f", str(ROOT / "locustfiles" / "search.py")]
    flags = ["--host", lite.uri, "--collection", "file_prepared", "--dataset", str(hdf5), "--rows", "200"]
    done = run_forked([*command, *flags], tmp_path, os.environ)
    assert done.returncode == 0, done.stderr
    assert "200 rows loaded" in done.stdout
    assert count_rows(lite.uri, "file_prepared") == 200
    with client_of(lite.uri) as client:
        manifest = json.loads(client.describe_collection("file_prepared")["properties"]["loadgen.manifest"])
    assert (manifest["dataset"], manifest["rows"], manifest["metric"]) == ("parts.hdf5", 200, "L2")
