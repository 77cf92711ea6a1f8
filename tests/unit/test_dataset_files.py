"""Files of every layout are read as the same rows, queries and neighbours."""

from collections import Counter
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadgen.datasets import FINGERPRINT_KEY, INSERTED, Dataset, agrees, open_dataset, resolve_settings
from loadgen.settings.model import Settings
from tests.unit.dataset_support import (
    DIM,
    LAYOUTS,
    NEIGHBOURS,
    QUERIES,
    ROWS,
    WITH_NEIGHBOURS,
    Data,
    exact,
    make_data,
    write_hdf5,
    write_lines,
    write_npy,
    write_parquet,
    write_parts,
)

every_layout = pytest.mark.parametrize("name", LAYOUTS)


def write(folder: Path, name: str) -> Path:
    return LAYOUTS[name](folder / name, make_data())


def resolve(path: Path, **given: Any) -> Settings:
    return resolve_settings(Settings.parse({"dataset": str(path)} | given))


def read(path: Path, **given: Any) -> Dataset:
    return open_dataset(resolve(path, **given))


@every_layout
@pytest.mark.parametrize("cuts", [(0, ROWS), (0, 1, 63, 65, 250, ROWS)])
def test_all_rows_are_read_as_they_were_written_in_any_parts_and_again(
    name: str, cuts: tuple[int, ...], tmp_path: Path
) -> None:
    data = read(write(tmp_path, name))
    assert (data.size, data.dim) == (ROWS, DIM)
    for _ in range(2):
        parts = [data.vectors(start, stop) for start, stop in pairwise(cuts)]
        assert {part.dtype for part in parts} == {np.dtype("float32")}
        assert np.array_equal(np.concatenate(parts), make_data().train)
    assert np.array_equal(data.vectors(7, 9), make_data().train[7:9]), "backwards"


@every_layout
def test_the_values_of_the_file_become_settings(name: str, tmp_path: Path) -> None:
    settings = resolve(write(tmp_path, name))
    assert (settings.dim, settings.rows) == (DIM, ROWS)
    assert settings.metric == ("L2" if name in ("data.hdf5", "sift_base.fvecs") else "COSINE")
    assert settings.queries == (QUERIES if name in WITH_NEIGHBOURS else 1_000)


@pytest.mark.parametrize("name", WITH_NEIGHBOURS)
def test_queries_and_neighbours_of_the_file_are_used(name: str, tmp_path: Path) -> None:
    data = read(write(tmp_path, name), metric="L2")
    assert np.array_equal(data.queries(), make_data().test)
    known = data.known_neighbours("L2", 10, QUERIES)
    assert known is not None
    assert [set(known.rows_of(query).tolist()) for query in range(QUERIES)] == exact(make_data(), "L2", 10)
    assert agrees(known, data, data.queries(), "L2")


@pytest.mark.parametrize("name", WITH_NEIGHBOURS)
def test_neighbours_of_the_file_are_not_used_for_fewer_rows_or_more_neighbours_than_it_has(
    name: str, tmp_path: Path
) -> None:
    path = write(tmp_path, name)
    assert read(path).known_neighbours("L2", NEIGHBOURS + 1, QUERIES) is None
    assert read(path, rows=ROWS - 1).known_neighbours("L2", 10, QUERIES) is None


def test_neighbours_by_another_metric_are_noticed_and_reported(tmp_path: Path) -> None:
    data = read(write(tmp_path, "folder"), metric="COSINE")
    known = data.known_neighbours("COSINE", 10, QUERIES)
    assert known is not None
    said: list[str] = []
    assert not agrees(known, data, data.queries(), "COSINE", said.append)
    assert said[0].startswith("the neighbours in the dataset are not used: for query 0 they contain ")
    hdf5 = read(write(tmp_path, "data.hdf5"))
    assert hdf5.known_neighbours("COSINE", 10, QUERIES) is None, "the file says L2"


def test_rows_that_tie_with_the_last_neighbour_are_neighbours_too(tmp_path: Path) -> None:
    train = np.repeat(make_data().train[:50], 2, axis=0)
    test = make_data().train[:5] + np.float32(0.001)
    far = np.linalg.norm(test[:, None] - train[None], axis=2)
    order = np.argsort(far, axis=1, kind="stable")[:, :10]
    known_far = np.take_along_axis(far, order, axis=1)
    path = write_parts(tmp_path / "twins.h5", Data(train, test, order, known_far))
    data = read(path, top_k=1)
    known = data.known_neighbours("L2", 1, 5)
    assert known is not None
    assert [known.rows_of(query).tolist() for query in range(5)] == [[2 * query, 2 * query + 1] for query in range(5)]
    assert data.known_neighbours("L2", 10, 5) is not None
    assert data.known_neighbours("L2", 9, 5) is None, "more may tie than the file lists"


@pytest.mark.parametrize(("distance", "metric"), [("angular", "COSINE"), ("euclidean", "L2"), ("dot", "IP")])
def test_the_distance_of_an_hdf5_file_is_the_metric(distance: str, metric: str, tmp_path: Path) -> None:
    path = write_parts(tmp_path / "data.hdf5", make_data(metric), distance)
    settings = resolve(path)
    assert settings.metric == metric
    data = open_dataset(settings)
    known = data.known_neighbours(metric, 10, QUERIES)
    assert known is not None
    assert [set(known.rows_of(query).tolist()) for query in range(QUERIES)] == exact(make_data(metric), metric, 10)


@every_layout
def test_rows_have_ids_texts_and_metadata(name: str, tmp_path: Path) -> None:
    data = read(write(tmp_path, name))
    rows = data.rows(0, ROWS)
    assert [row.row_id for row in rows] == [data.row_id(number) for number in range(ROWS)]
    assert len({row.row_id for row in rows}) == ROWS
    row = rows[7]
    assert row.vector == make_data().train[7].tolist()
    assert row.text == ("text 7" if name == "data.jsonl" else "n7_text")
    assert (row.source, row.metadata["row"], row.metadata[FINGERPRINT_KEY]) == ("n8", 7, data.fingerprint)
    if name == "data.jsonl":
        assert (row.metadata["file_id"], row.metadata["year"]) == ("doc 7", 2000)
    if name == "folder":
        assert row.metadata["labels"] == f"label_{row.metadata['file_id']}"


@every_layout
def test_inserted_rows_are_near_rows_of_the_file_and_have_ids_of_their_own(name: str, tmp_path: Path) -> None:
    data = read(write(tmp_path, name))
    fresh = [row for worker in (0, 1) for row in islice(data.fresh_rows(worker), 400)]
    ids = Counter(row.row_id for row in [*fresh, *data.rows(0, ROWS)])
    assert set(ids.values()) == {1}
    assert {row.metadata[FINGERPRINT_KEY] for row in fresh} == {INSERTED}
    train = make_data().train
    far = np.linalg.norm(train[None] - np.array([row.vector for row in fresh])[:, None], axis=2).min(axis=1)
    assert 0.01 < far.min() <= far.max() < 1


def test_a_file_without_queries_gets_seeded_ones_near_its_rows(tmp_path: Path) -> None:
    path = write_npy(tmp_path / "data.npy", make_data())
    queries = read(path, queries=30).queries()
    assert np.array_equal(queries, read(path, queries=30).queries())
    assert not np.array_equal(queries, read(path, queries=30, seed=2).queries())
    train = make_data().train
    far = np.linalg.norm(train[None] - queries[:, None], axis=2)
    lengths = np.linalg.norm(train[far.argmin(axis=1)], axis=1)
    assert np.allclose(far.min(axis=1) / lengths, 0.1, atol=1e-5)
    assert len(set(far.argmin(axis=1).tolist())) == 30
    assert read(path).queries().shape == (1_000, DIM), "more than there are rows"


@every_layout
def test_the_fingerprint_depends_on_the_rows_alone(name: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    path = write(tmp_path, name)
    fingerprint = read(path).fingerprint
    assert len(fingerprint) == 16
    assert read(write(tmp_path / "elsewhere", name), seed=2, queries=10).fingerprint == fingerprint
    assert read(path, rows=ROWS - 1).fingerprint != fingerprint
    (tmp_path / "other").mkdir()
    changed = make_data()
    changed.train[200, 3] += 1
    assert read(LAYOUTS[name](tmp_path / "other" / name, changed)).fingerprint != fingerprint


@pytest.mark.parametrize("kind", ["float16", "float64", ">f4"])
def test_other_floats_are_converted(kind: str, tmp_path: Path) -> None:
    vectors = make_data().train.astype(kind)
    np.save(tmp_path / "data.npy", vectors)
    paths = [tmp_path / "data.npy", write_hdf5(tmp_path / "data.hdf5", train=vectors)]
    if kind != ">f4":
        paths.append(write_parquet(tmp_path / "data.parquet", vectors))
    for path in paths:
        assert np.array_equal(read(path).vectors(0, ROWS), vectors.astype(np.float32))


def test_shuffled_rows_of_a_folder_are_preferred_and_one_file_can_be_read_alone(tmp_path: Path) -> None:
    train = make_data().train
    write_parquet(tmp_path / "train.parquet", train, np.arange(ROWS))
    write_parquet(tmp_path / "shuffle_train.parquet", train[::-1], np.arange(ROWS)[::-1])
    assert np.array_equal(read(tmp_path).vectors(0, ROWS), train[::-1])
    assert np.array_equal(read(tmp_path / "train.parquet").vectors(0, ROWS), train)


@pytest.mark.parametrize("name", ["vector", "emb", "embedding"])
def test_json_lines_name_their_vector_in_three_ways_and_may_lack_the_rest(name: str, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "data.ndjson", [{name: [1, 0.5]}, {name: [0, -1]}])
    data = read(path, top_k=1, rows=2)
    assert data.vectors(0, 2).tolist() == [[1, 0.5], [0, -1]]
    assert [row.text for row in data.rows(0, 2)] == ["n0_text", "n1_text"]
    assert "file_id" not in data.rows(0, 1)[0].metadata
