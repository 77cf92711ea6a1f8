"""Filters on the fields that a dataset file has for its rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadgen.datasets import MatchingRows, Narrowings, find_neighbours, open_dataset, resolve_settings
from loadgen.locust_plugin.preparation.selectivities import find_selectivities
from loadgen.locust_plugin.preparation.variant_setup import set_up_variants
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from tests.unit.dataset_support import ROWS, make_data, write_folder, write_json, write_lines


def settings_for(path: Path, **given: object) -> Settings:
    return resolve_settings(Settings.parse({"dataset": str(path), "metric": "L2", "queries": 20} | given))


def test_the_labels_of_vectordbbench_can_be_filtered_by(tmp_path: Path) -> None:
    data = make_data()
    settings = settings_for(write_folder(tmp_path / "folder", data), filter="labels != {labels} and file_id < 1150")
    dataset = open_dataset(settings)
    narrowings = Narrowings(settings, dataset)
    rows = [row.metadata for row in dataset.rows(0, ROWS)]
    drawn = dataset.metadata.draw_values(20)["labels"].tolist()
    assert set(drawn) <= {row["labels"] for row in rows}
    assert len(set(drawn)) > 15
    neighbours = find_neighbours(MatchingRows(dataset, narrowings.find_matches(20)), data.test, "L2", 3)
    for number, label in enumerate(drawn):
        own = [place for place, row in enumerate(rows) if row["labels"] != label and row["file_id"] < 1_150]
        far = np.linalg.norm(data.train[own] - data.test[number], axis=1)
        assert neighbours.rows_of(number).tolist() == sorted(own[place] for place in np.argsort(far)[:3])
    assert narrowings.measure().mean == pytest.approx(0.5, abs=0.01)


def test_fields_of_a_file_and_generated_ones_go_together(tmp_path: Path) -> None:
    path = write_json(tmp_path / "data.jsonl", make_data())
    settings = settings_for(path, metadata="tenant:int:4", filter="year == 2000 and tenant == {tenant}")
    selectivities = find_selectivities(set_up_variants(settings), open_dataset(settings), lambda _line: None)
    assert selectivities["sync"] == selectivities["async"]
    assert selectivities["sync"].mean == pytest.approx(0.25, abs=0.06)
    rows = open_dataset(settings).rows(0, 5)
    assert {name for row in rows for name in row.metadata} >= {"year", "tenant", "row", "loadgen"}


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("yaer == 2000", "has no number or text in the field yaer of row 0, which a filter compares"),
        ("mixed == 1", "has values of several types in the field mixed, which a filter compares"),
        ("flag == 1", "has no number or text in the field flag of row 0"),
        ("year == 'x'", "--filter year == 'x': compares a number with a text. Give a value of the field's type."),
        ("year > 2020", "--filter year > 2020: matches no row, for any query"),
    ],
)
def test_what_a_file_lacks_is_refused(tmp_path: Path, text: str, reported: str) -> None:
    vectors = make_data().train[:10].tolist()
    lines: list[dict[str, Any]] = [
        {"vector": vector, "metadata": {"year": 2000, "mixed": 1 if number < 5 else "x", "flag": True}}
        for number, vector in enumerate(vectors)
    ]
    path = write_lines(tmp_path / "data.jsonl", lines)
    settings = settings_for(path, filter=text, top_k=5)
    with pytest.raises(SettingsError) as caught:
        find_selectivities(set_up_variants(settings), open_dataset(settings), lambda _line: None)
    assert reported in str(caught.value)
