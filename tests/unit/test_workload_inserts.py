"""Inserted rows are new: no id and no document is ever given twice."""

from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
import pytest

from loadgen.datasets import FINGERPRINT_KEY, INSERTED, InsertStream, Row
from loadgen.datasets.insert_stream import LANES, WORKERS
from loadgen.datasets.synthetic import SyntheticDataset
from loadgen.settings.model import Settings

DATA = SyntheticDataset(Settings(rows=5_000, dim=8))


def rows_of(worker: int, lane: int = 0, count: int = 3_000) -> list[Row]:
    return list(islice(InsertStream(DATA, worker, lane), count))


def test_ids_have_16_digits_and_no_two_rows_share_one_or_a_document() -> None:
    rows = DATA.rows(0, 5_000) + [row for worker in (0, 1, WORKERS - 1) for row in rows_of(worker)]
    rows += rows_of(0, lane=LANES - 1)
    assert all(len(str(row.row_id)) == 16 and str(row.row_id).isdecimal() for row in rows)
    assert len({row.row_id for row in rows}) == len({row.source for row in rows}) == len(rows) == 17_000


@pytest.mark.parametrize("seed", [0, 1, 2, 2**63 - 1])
def test_ids_of_row_numbers_that_differ_in_one_digit_differ(seed: int) -> None:
    make = SyntheticDataset(Settings(seed=seed, dim=2)).row_id
    numbers = {place * 10**power for power in range(16) for place in range(10)}
    assert len({make(number) for number in numbers}) == len(numbers) == 145


def test_inserted_rows_say_so_and_have_vectors_like_the_rest() -> None:
    rows = rows_of(3, count=100)
    assert {row.metadata[FINGERPRINT_KEY] for row in rows} == {INSERTED}
    fresh = np.array([row.vector for row in rows])
    assert np.allclose(np.linalg.norm(fresh, axis=1), 1, atol=1e-6)
    nearness = fresh @ DATA.vectors(0, 5_000).T
    assert nearness.max(axis=1).mean() > 0.8
    assert nearness.max() < 1 - 1e-7


def test_two_workers_insert_other_vectors() -> None:
    assert rows_of(0, count=1)[0].vector != rows_of(1, count=1)[0].vector


def test_threads_that_share_a_stream_get_every_row_once() -> None:
    stream = InsertStream(DATA, 0)
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda _: [row.row_id for row in islice(stream, 2_000)], range(8)))
    assert {row_id for part in parts for row_id in part} == {row.row_id for row in rows_of(0, count=16_000)}


@pytest.mark.parametrize(("worker", "lane"), [(-1, 0), (0, LANES), (WORKERS, 0)])
def test_a_worker_that_has_no_range_of_its_own_is_refused(worker: int, lane: int) -> None:
    with pytest.raises(ValueError, match=f"worker {worker}, lane {lane}: there are"):
        InsertStream(DATA, worker, lane)
