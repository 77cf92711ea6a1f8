"""Settings that contradict a dataset are refused, all of them together; queries may be from another file."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from locust import task

from loadgen.datasets import open_dataset, resolve_settings
from loadgen.datasets.query_order import DRAWS, draw_order
from loadgen.milvus.store.manifest import find_differences, make_manifest, name_data
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from loadgen.users import SyncUser
from loadgen.users.process_state import STRIDE
from tests.unit.dataset_support import DIM, LAYOUTS, QUERIES, ROWS, Data, make_data, write_npy, write_parts
from tests.unit.stage import stage

LEAVE_OUT = "Leave out --queries to use the value of the file, or give less."


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_parts(tmp_path / "data.hdf5", make_data())


def resolve(path: Path, **given: Any) -> Settings:
    return resolve_settings(Settings.parse({"dataset": str(path)} | given))


def test_synthetic_data_leave_the_settings_as_they_are() -> None:
    settings = Settings.parse({"rows": 50})
    assert resolve_settings(settings) is settings


def test_all_contradictions_are_reported_with_value_and_remedy(path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        resolve(path, dim="768", metric="COSINE", rows="500", queries="21")
    assert [str(fault) for fault in caught.value.faults] == [
        f"--dim 768: is not the {DIM} of {path}. Leave out --dim to use the value of the file.",
        f"--rows 500: is more than the {ROWS} of {path}. Leave out --rows to use the value of the file, or give less.",
        f"--metric COSINE: is not the L2 of {path}. Leave out --metric to use the value of the file.",
        f"--queries 21: is more than the {QUERIES} of {path}. {LEAVE_OUT}",
    ]


def test_equal_and_smaller_values_agree(path: Path) -> None:
    settings = resolve(path, dim=DIM, metric="l2", rows=200, queries=5)
    assert (settings.dim, settings.metric, settings.rows, settings.queries) == (DIM, "L2", 200, 5)
    assert open_dataset(settings).queries().shape == (5, DIM)


def test_a_default_of_a_locustfile_gives_way_to_the_file(path: Path) -> None:
    assert resolve(path).rows == ROWS
    assert not resolve(path).is_given("rows")


def test_more_neighbours_than_rows_are_refused_once_the_rows_are_known(path: Path) -> None:
    with pytest.raises(SettingsError, match="--top-k 400: is more than the 300 rows"):
        resolve(path, top_k=400)
    with pytest.raises(SettingsError, match="--top-k 400: is more than the 300 rows"):
        resolve(path, variants="sync; async top-k=400")
    assert resolve(path, top_k=300).top_k == 300


@pytest.mark.parametrize("name", LAYOUTS)
def test_queries_of_another_file_are_asked_of_any_data(name: str, tmp_path: Path) -> None:
    file = LAYOUTS[name](tmp_path / name, make_data())
    wanted = make_data().test if name in ("data.hdf5", "folder") else None
    if wanted is None:
        wanted = make_data().test if name in ("sift_base.fvecs", "base.10M.fbin") else make_data().train
    settings = resolve_settings(Settings.parse({"query_file": str(file), "dim": DIM, "rows": 500, "clusters": 5}))
    assert (settings.rows, settings.queries) == (500, len(wanted))
    data = open_dataset(settings)
    assert np.array_equal(data.queries(), wanted)
    assert data.known_neighbours("COSINE", 10, 5) is None
    assert data.fingerprint == open_dataset(settings.model_copy(update={"query_file": ""})).fingerprint


def test_queries_of_another_file_are_cut_and_replace_those_of_the_dataset(path: Path, tmp_path: Path) -> None:
    other = write_npy(tmp_path / "queries.npy", make_data(seed=9))
    settings = resolve(path, query_file=str(other), queries=7)
    data = open_dataset(settings)
    assert np.array_equal(data.queries(), make_data(seed=9).train[:7])
    assert data.known_neighbours("L2", 10, 7) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("dim", "has queries of dimension 5, and the collection has 12"),
        ("nan", "query 1 contains a value that is not finite in float32"),
        ("missing", "does not exist"),
    ],
)
def test_queries_that_cannot_be_asked_are_refused(change: str, words: str, path: Path, tmp_path: Path) -> None:
    vectors = np.ones((3, 5 if change == "dim" else DIM), dtype=np.float32)
    vectors[1, 2] = np.nan if change == "nan" else 1
    if change != "missing":
        np.save(tmp_path / "queries.npy", vectors)
    with pytest.raises(SettingsError, match=re.escape(words)) as caught:
        resolve(path, query_file=str(tmp_path / "queries.npy"))
    assert [fault.setting for fault in caught.value.faults] == ["query_file"]


def test_a_worker_whose_file_is_another_one_refuses_it_with_its_path(path: Path, tmp_path: Path) -> None:
    settings = resolve(path)
    data = make_data()
    write_parts(tmp_path / "data.hdf5", Data(data.train[:10], *data[1:]))
    with pytest.raises(SettingsError, match=re.escape(f"--dataset {path}: has 10 rows of dimension 12, and 300 of 12")):
        open_dataset(settings)
    path.unlink()
    with pytest.raises(SettingsError, match=re.escape(f"--dataset {path}: does not exist (on ")):
        open_dataset(settings)


def test_the_manifest_names_the_file_and_not_what_only_synthetic_data_have(path: Path) -> None:
    settings = resolve(path)
    manifest = make_manifest(settings, open_dataset(settings))
    assert manifest["dataset"] == "data.hdf5"
    assert (manifest["rows"], manifest["dim"], manifest["metric"]) == (ROWS, DIM, "L2")
    assert not {"seed", "clusters", "spread"} & set(manifest)
    again = resolve(path, seed=2, clusters=3, spread=1)
    assert name_data(again, open_dataset(again)) == name_data(settings, open_dataset(settings))


def test_a_collection_of_other_data_is_refused_by_the_name_of_these(path: Path, tmp_path: Path) -> None:
    settings = resolve(path)
    kept = make_manifest(settings, open_dataset(settings))
    synthetic = Settings.parse({"rows": ROWS, "dim": DIM, "metric": "L2"})
    wanted = make_manifest(synthetic, open_dataset(synthetic))
    (fault,) = find_differences(kept, wanted, synthetic)
    assert str(fault) == (
        "--dataset synthetic: collection 'loadgen' contains data.hdf5. Use another --collection, or --fresh to "
        "reload it."
    )
    (fault,) = find_differences(wanted, kept, settings)
    assert (fault.setting, fault.value, fault.problem) == (
        "dataset",
        "data.hdf5",
        "collection 'loadgen' contains synthetic",
    )
    (tmp_path / "changed").mkdir()
    other = resolve(write_parts(tmp_path / "changed" / "data.hdf5", make_data(seed=4)))
    (fault,) = find_differences(kept, make_manifest(other, open_dataset(other)), other)
    assert "contains the same file with other content" in fault.problem
    (tmp_path / "renamed.hdf5").write_bytes(path.read_bytes())
    renamed = resolve(tmp_path / "renamed.hdf5")
    assert find_differences(kept, make_manifest(renamed, open_dataset(renamed)), renamed) == []


@pytest.mark.parametrize("text", ["zipf", "zipf:", "zipf:0", "zipf:-1", "zipf:11", "zipf:nan", "normal:1", "1.1"])
def test_a_skew_that_is_no_distribution_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="is neither none nor zipf:EXPONENT with an exponent above 0") as caught:
        Settings.parse({"query_skew": text})
    assert caught.value.faults[0].value == text


@pytest.mark.parametrize("exponent", [0.5, 1.1, 10])
def test_queries_are_drawn_as_often_as_zipf_says(exponent: float) -> None:
    settings = Settings.parse({"query_skew": f"zipf:{exponent}", "queries": 50})
    order = draw_order(settings, 0)
    assert len(order) == DRAWS
    weights = np.arange(1, 51) ** -float(exponent)
    counts = np.sort(np.bincount(order, minlength=50))[::-1] / DRAWS
    assert np.allclose(counts, weights / weights.sum(), atol=0.006)


def test_workers_share_their_hot_queries_and_draw_them_in_another_order() -> None:
    settings = Settings.parse({"query_skew": "zipf:1.1", "queries": 50})
    first, second = draw_order(settings, 0), draw_order(settings, 1)
    assert first == draw_order(settings, 0)
    assert first != second
    assert np.bincount(first).argmax() == np.bincount(second).argmax()
    assert draw_order(settings.model_copy(update={"query_skew": "none"}), 0) == []


def test_users_ask_queries_in_the_drawn_order_each_from_another_place() -> None:
    class Searcher(SyncUser):
        @task
        def search(self) -> None: ...

    with stage(Searcher) as made:
        made.process_state.query_order = order = draw_order(
            Settings.parse({"query_skew": "zipf:2", "queries": 1_000}), 0
        )
        users = [Searcher(made.environment) for _ in range(2)]
        asked = [[user.next_query().number for _ in range(500)] for user in users]
    assert asked[0] == order[1:501]
    assert asked[1] == order[STRIDE + 1 : STRIDE + 501]
    assert 200 < asked[0].count(int(np.bincount(order).argmax())) < 400, "the hottest of 1,000 has 61 %"
