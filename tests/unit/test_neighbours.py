"""Exact neighbours and their cache, against what a plain look at everything says."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from loadgen.datasets import (
    GroundTruth,
    cached_neighbours,
    count_checked,
    default_folder,
    find_neighbours,
    open_dataset,
)
from loadgen.datasets import neighbour_cache as cache_module
from loadgen.settings.model import Settings

Floats = npt.NDArray[np.float32]


class Matrix:
    """Rows that are given."""

    def __init__(self, vectors: Any) -> None:
        self._vectors: Floats = np.array(vectors, dtype=np.float32)
        self.size, self.dim = self._vectors.shape

    def vectors(self, start: int, stop: int) -> Floats:
        return self._vectors[start:stop]


def by_brute_force(rows: Floats, query: Floats, metric: str, top_k: int) -> set[int]:
    wide, one = rows.astype(np.float64), query.astype(np.float64)
    nearness = {
        "COSINE": wide @ one / np.linalg.norm(wide, axis=1),
        "IP": wide @ one,
        "L2": -np.sum((wide - one) ** 2, axis=1),
    }[metric]
    return set(np.argsort(-nearness)[:top_k].tolist())


@pytest.mark.parametrize("metric", ["COSINE", "IP", "L2"])
@pytest.mark.parametrize("top_k", [1, 7])
def test_neighbours_are_those_of_a_sort_of_all_rows(metric: str, top_k: int) -> None:
    generator = np.random.default_rng(5)
    rows = generator.normal(size=(3_500, 12)).astype(np.float32)
    queries = generator.normal(size=(40, 12)).astype(np.float32)
    ground_truth = find_neighbours(Matrix(rows), queries, metric, top_k)
    assert ground_truth.queries == 40
    for number, query in enumerate(queries):
        assert set(ground_truth.rows_of(number).tolist()) == by_brute_force(rows, query, metric, top_k)


def test_the_metrics_differ_where_vectors_have_other_lengths() -> None:
    rows, query = Matrix([[1.0, 0.1], [9.0, 3.0], [1.1, 0.4]]), np.array([[1.0, 0.3]], dtype=np.float32)
    result = {metric: find_neighbours(rows, query, metric, 1).rows.tolist() for metric in ("COSINE", "IP", "L2")}
    assert result == {"COSINE": [1], "IP": [1], "L2": [2]}
    assert find_neighbours(rows, query, "COSINE", 2).rows.tolist() == [1, 2]
    with pytest.raises(ValueError, match="HAMMING is no metric"):
        find_neighbours(rows, query, "HAMMING", 1)


@pytest.mark.parametrize("order", [1, -1])
def test_all_rows_that_tie_with_the_last_neighbour_count_wherever_their_blocks_lie(order: int) -> None:
    rows = np.zeros((2_400, 2), dtype=np.float32)
    rows[:, 1] = 1
    near, tied = [3, 1_500], [0, 999, 1_000, 2_399]
    rows[near] = [1.0, 0.0]
    rows[tied] = [0.6, 0.8]
    rows = rows[::order]
    ground_truth = find_neighbours(Matrix(rows), np.array([[1.0, 0.0]], dtype=np.float32), "COSINE", 3)
    places = {number if order == 1 else 2_399 - number for number in near + tied}
    assert set(ground_truth.rows.tolist()) == places
    ids = [str(number) for number in sorted(places)]
    shown = [str(number if order == 1 else 2_399 - number) for number in [*near, 999]]
    assert ground_truth.recall(0, shown, str) == 1
    assert ground_truth.recall(0, [shown[0], "7", "8"], str) == pytest.approx(1 / 3)
    assert ground_truth.recall(0, ids, str) == 1, "a longer result is still at most 1"
    assert ground_truth.recall(0, [], str) == 0
    assert ground_truth.recall(0, ["7", "8", "9", *ids], str) == 0, "anything after the first top_k does not count"


def test_rows_that_differ_by_more_than_a_tie_do_not_count() -> None:
    angle = np.arccos([1.0, 0.9, 0.9 - 4e-6])
    rows = np.column_stack([np.cos(angle), np.sin(angle)])
    ground_truth = find_neighbours(Matrix(rows), np.array([[1.0, 0.0]], dtype=np.float32), "COSINE", 2)
    assert ground_truth.rows.tolist() == [0, 1]


def test_progress_is_told_and_the_last_block_may_be_short(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1_000, 3))
    monkeypatch.setattr("loadgen.datasets.neighbours.perf_counter", lambda: float(next(clock)))
    reported: list[str] = []
    data = open_dataset(Settings(rows=2_300, dim=8, queries=5))
    ground_truth = find_neighbours(data, data.queries(), "L2", 4, reported.append)
    assert ground_truth.queries == 5
    assert reported[0].startswith("exact neighbours: 1,000 of 2,300 rows looked at")
    assert reported[-1].startswith("exact neighbours: 2,300 of 2,300 rows looked at, 0 s")


def test_truth_goes_to_workers_whole() -> None:
    data = open_dataset(Settings(rows=500, dim=8, queries=20))
    ground_truth = find_neighbours(data, data.queries(), "COSINE", 3)
    copy = GroundTruth.from_message(ground_truth.as_message())
    assert copy.top_k == 3
    assert copy.rows.tolist() == ground_truth.rows.tolist()
    assert copy.owners.tolist() == ground_truth.owners.tolist()


def test_the_number_of_checked_queries_is_bounded_by_what_has_to_be_kept() -> None:
    assert [count_checked(*given) for given in ((50, 10), (5_000, 10), (1_000, 16_384), (9, 10**6))] == [
        50, 1_000, 30, 1,
    ]  # fmt: skip


# The cache


def make(number: int) -> GroundTruth:
    return GroundTruth(1, np.arange(number), np.arange(number))


def test_what_was_found_is_not_looked_for_again_with_the_same_data_only(tmp_path: Path) -> None:
    made: list[int] = []

    def count(number: int) -> GroundTruth:
        made.append(number)
        return make(number)

    folder = tmp_path / "new" / "folder"
    assert cached_neighbours(folder, ["a", 10], lambda: count(3))[1] is False
    again, known = cached_neighbours(folder, ["a", 10], lambda: count(4))
    assert (known, again.rows.tolist(), made) == (True, [0, 1, 2], [3])
    assert cached_neighbours(folder, ["a", 11], lambda: count(5))[0].queries == 5
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_a_broken_file_is_made_anew_and_an_unwritable_folder_is_no_fault(tmp_path: Path) -> None:
    cached_neighbours(tmp_path, ["a"], lambda: make(3))
    (file,) = tmp_path.iterdir()
    for text in (b"", b"nonsense", file.read_bytes()[:100]):
        file.write_bytes(text)
        assert cached_neighbours(tmp_path, ["a"], lambda: make(4))[0].queries == 4
    assert cached_neighbours(tmp_path, ["a"], lambda: make(5))[0].queries == 4
    assert cached_neighbours(file / "below", ["a"], lambda: make(6))[0].queries == 6


def test_files_used_longest_ago_go_when_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        cached_neighbours(tmp_path, [name], lambda: make(100))
    size = next(tmp_path.iterdir()).stat().st_size
    for age, path in enumerate(tmp_path.iterdir()):
        os.utime(path, (1_000 + age, 1_000 + age))
    cached_neighbours(tmp_path, ["one"], lambda: make(1))  # used again
    monkeypatch.setattr(cache_module, "BYTES_AT_MOST", 2.5 * size)
    cached_neighbours(tmp_path, ["three"], lambda: make(100))
    kept = {name: cached_neighbours(tmp_path, [name], lambda: make(1))[1] for name in ("one", "three", "two")}
    assert kept == {"one": True, "three": True, "two": False}


def test_the_cache_is_where_this_user_keeps_such_things(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/some/cache")
    assert default_folder() == Path("/some/cache/milvus-loadgen")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert default_folder() == Path("/home/somebody/.cache/milvus-loadgen")
