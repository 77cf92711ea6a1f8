"""Recall and agreement of a real run: what a real index finds, and what happens where one mode answers otherwise."""

from pathlib import Path

from loadgen.milvus.server import EmbeddedServer
from loadgen.results.record import RunRecord
from tests.integration.locust_command import record_of, run_locust

BRIEF = ("--concurrency", "2", "--rounds", "1", "--phase-seconds", "1", "--warmup-seconds", "0.2")
SPREAD_OUT = ("--rows", "2000", "--dim", "32", "--spread", "4", "--queries", "200")
"""Hardly any clusters: what is near lies in many cells of an index."""
HALVED = '''
from llama_index.vector_stores.milvus import MilvusVectorStore
from loadgen import AsyncUser

original = MilvusVectorStore.aquery

async def aquery(self, query, **kwargs):
    """Drop the second half of the result."""
    result = await original(self, query, **kwargs)
    half = len(result.ids) // 2
    result.ids, result.similarities = result.ids[:half], result.similarities[:half]
    return result

MilvusVectorStore.aquery = aquery
'''


def recalls(record: RunRecord) -> list[float | None]:
    return [one.recall for phase in record.phases for one in phase.operations if one.operation == "search"]


def test_an_exact_index_has_recall_1_in_every_phase_of_two_workers(milvus: EmbeddedServer, tmp_path: Path) -> None:
    flags = ("--host", milvus.uri, "--collection", "recall_flat", *SPREAD_OUT, "--index-type", "FLAT", *BRIEF)
    more = ("--connections", "2", "--processes", "2", "--recall-every", "3", "--require", "search recall >= 1")
    run = run_locust(tmp_path, *flags, *more)
    run.assert_good()
    assert recalls(record_of(tmp_path)) == [1.0] * 4
    assert "met: search recall >= 1" in run.out
    assert "Exact neighbours of 200 queries: computed" in run.err
    assert "Sync and async give the same answers to 50 queries" in run.err
    assert [window["connections"] for window in run.reported["windows"]] == [4] * 4
    assert len({tuple(window["data"]) for window in run.reported["windows"]}) == 1
    assert len(run.reported["windows"][0]["data"][0]) == 16
    assert len(list((tmp_path / "cache").rglob("neighbours-*.npz"))) == 1


def test_a_poor_index_misses_the_recall_that_is_required(lite: EmbeddedServer, tmp_path: Path) -> None:
    """On Milvus Lite: the standalone searches without its index for some seconds after it is built."""
    index = ("--index-type", "IVF_FLAT", "--search-params", "nprobe=1", "--recall-every", "2")
    flags = ("--host", lite.uri, "--collection", "recall_poor", *SPREAD_OUT, *index)
    run = run_locust(
        tmp_path, *flags, "--mode", "async", "-u", "2", "-r", "2", "-t", "2s", "--require", "search recall >= 0.95"
    )
    assert run.code == 1, run.err
    assert "MISSED: search recall >= 0.95: 0." in run.out
    (result,) = recalls(record_of(tmp_path))
    assert result is not None
    assert 0.05 < result < 0.9


def test_a_mode_that_answers_otherwise_is_told_and_wins_nothing(milvus: EmbeddedServer, tmp_path: Path) -> None:
    (tmp_path / "halved.py").write_text(HALVED)
    files = f"search.py,{tmp_path / 'halved.py'}"
    flags = ("--host", milvus.uri, "--collection", "recall_flat", *SPREAD_OUT, "--index-type", "FLAT", *BRIEF)
    run = run_locust(tmp_path, *flags, "--recall-every", "1", files=files, PAUSE="0.02")
    run.assert_good()
    assert "No comparison of them will be valid: sync and async answers differ for 50 of 50 queries" in run.err
    record = record_of(tmp_path)
    assert recalls(record) == [1.0, 0.5, 0.5, 1.0]
    (comparison,) = record.comparisons
    assert comparison.verdict == "invalid"
    assert comparison.reasons[0].startswith("sync and async answers differ for 50 of 50 queries; the first is query 0:")
    assert "recall differs: sync 1.000, async 0.500" in comparison.reasons
