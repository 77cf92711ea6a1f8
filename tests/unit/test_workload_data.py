"""The data is the same wherever it is made, clustered as asked, and its fingerprint tells one from another."""

import hashlib
import subprocess
import sys
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from loadgen.datasets import FINGERPRINT_KEY, Dataset, open_dataset
from loadgen.datasets.synthetic import SyntheticDataset
from loadgen.settings.model import Settings

CODE = """
import hashlib
from loadgen.settings.model import Settings
from loadgen.datasets import open_dataset
data = open_dataset(Settings(rows=2500, dim=24, seed=7))
parts = data.vectors(1990, 2010).tobytes() + data.queries().tobytes() + data.fingerprint.encode()
print(hashlib.sha256(parts + data.row_id(2499).encode()).hexdigest())
"""


def make(**given: Any) -> Dataset:
    return open_dataset(Settings.parse({"rows": 2_500, "dim": 24, "seed": 7} | given))


def test_another_process_makes_the_same_data_queries_fingerprint_and_ids() -> None:
    reported = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout.strip()
    data = make()
    parts = data.vectors(1_990, 2_010).tobytes() + data.queries().tobytes() + data.fingerprint.encode()
    assert reported == hashlib.sha256(parts + data.row_id(2_499).encode()).hexdigest()


@pytest.mark.parametrize("cuts", [(0, 2_500), (0, 1, 999, 1_000, 1_001, 2_500), (0, 700, 700, 2_001, 2_499, 2_500)])
def test_the_whole_is_the_sum_of_its_parts_made_in_any_order(cuts: tuple[int, ...]) -> None:
    pairs = list(pairwise(cuts))
    pieces = {start: make().vectors(start, stop) for start, stop in reversed(pairs) if start < stop}
    whole = make().vectors(0, 2_500)
    assert whole.dtype == np.float32
    assert whole.shape == (2_500, 24)
    assert np.array_equal(np.concatenate([pieces[start] for start in sorted(pieces)]), whole)


def test_more_rows_leave_the_rows_before_them_as_they_are() -> None:
    assert np.array_equal(make(rows=1_200).vectors(0, 1_200), make(rows=2_500).vectors(0, 1_200))


def test_all_vectors_have_unit_length_whatever_the_dimension() -> None:
    for dim in (2, 24, 1_536):
        data = make(dim=dim, rows=300)
        for vectors in (data.vectors(0, 300), data.queries()):
            assert np.allclose(np.linalg.norm(vectors.astype(np.float64), axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("dim", [16, 768])
def test_nearest_neighbours_are_of_one_cluster(dim: int) -> None:
    data = make(rows=1_000, dim=dim, clusters=20)
    vectors = data.vectors(0, 1_000)
    clusters = np.array([row.metadata["cluster"] for row in data.rows(0, 1_000)])
    nearness = vectors @ vectors.T
    np.fill_diagonal(nearness, -2)
    assert len(set(clusters.tolist())) == 20
    assert np.mean(clusters[nearness.argmax(axis=1)] == clusters) > 0.95  # 0.05 by chance


def test_the_spread_is_the_length_of_the_noise_in_every_dimension() -> None:
    for dim in (16, 768):
        near, far = (make(rows=1_000, dim=dim, clusters=1, spread=spread).vectors(0, 1_000) for spread in (0.1, 1))
        for vectors, cosine in ((near, 1 / np.sqrt(1.01)), (far, 1 / np.sqrt(2))):
            centre = vectors.mean(axis=0) / np.linalg.norm(vectors.mean(axis=0))
            assert np.mean(vectors @ centre) == pytest.approx(cosine, abs=0.03)


def test_queries_lie_near_a_row_and_on_none() -> None:
    data = make(queries=200, dim=64)
    nearness = (data.queries() @ data.vectors(0, 2_500).T).max(axis=1)
    assert nearness.min() > 0.95
    assert nearness.max() < 0.99999
    assert len(np.unique(data.queries(), axis=0)) == 200


def test_clusters_beyond_the_rows_are_left_out() -> None:
    assert SyntheticDataset(Settings(rows=10)).clusters == 10


def test_a_row_looks_as_in_the_tutorial() -> None:
    data = make()
    row = data.rows(1_001, 1_002)[0]
    assert (row.text, row.source) == ("n1001_text", "n1002")
    assert row.metadata["row"] == 1_001
    assert row.metadata[FINGERPRINT_KEY] == data.fingerprint
    assert row.vector == data.vectors(1_001, 1_002)[0].tolist()


@pytest.mark.parametrize("change", [{"rows": 2_501}, {"dim": 25}, {"seed": 8}, {"clusters": 65}, {"spread": 0.31}])
def test_the_fingerprint_changes_with_all_that_makes_the_data(change: dict[str, Any]) -> None:
    assert make(**change).fingerprint != make().fingerprint


@pytest.mark.parametrize("change", [{"top_k": 3}, {"metric": "L2"}, {"batch_size": 7}, {"queries": 5}, {"token": "t"}])
def test_the_fingerprint_stays_with_all_the_rest(change: dict[str, Any]) -> None:
    assert make(**change).fingerprint == make().fingerprint


def test_the_fingerprint_notices_other_random_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    before = make().fingerprint
    default = np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed: default([*seed, 1]))
    assert make().fingerprint != before


def test_a_range_that_runs_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match="rows 5 to 4 are no range"):
        make().vectors(5, 4)
