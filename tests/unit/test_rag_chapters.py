"""The chapters of the tutorial: what they need, and what they show."""

from pathlib import Path

import pytest
from llama_index.vector_stores.milvus import MilvusVectorStore

from loadgen.clients.rag.chapters import Chapter, Chapters, show
from loadgen.clients.rag.side_by_side import HEAD, Measured
from loadgen.locust_plugin.preparation.prologue import check_prologue
from loadgen.measure.sample import Mode
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings


def test_the_stopwatch_stands_beside_operations_that_are_equally_many_in_flight_in_both_modes() -> None:
    sync = Measured("ask", Mode.SYNC, 8, 2.0, (0.1,) * 19 + (0.5,), 3)
    none = Measured("ask", Mode.ASYNC, 8, 2.0, (), 20)
    head, read, aquery, query, about = show(
        [Chapter("read documents", 0.0341), Chapter("aquery", 0.307, none), Chapter("query", 1.5, sync)]
    )
    assert head.endswith(HEAD)
    assert read.split() == ["read", "documents", "0.034"]
    assert aquery.split() == ["aquery", "0.307", "async", "ask,", "8", "in", "flight", "-", "-", "-", "20"]
    assert query.split() == ["query", "1.500", "sync", "ask,", "8", "in", "flight", "10.0", "100.0", "424.0", "3"]
    assert len(head) == len(aquery) == len(query)
    assert "async with sync" in about


def test_what_the_chapters_need_is_a_fault_before_the_run_and_the_tables_own_settings_are_not(tmp_path: Path) -> None:
    settings = Settings.parse({"rows": "1000", "dim": "64", "burst": "10,50"})
    assert Chapters().find_faults(settings) == []
    wrong = Chapters(documents=str(tmp_path), embedding="local:x", llm="openai:m")
    reported = [str(fault) for fault in wrong.find_faults(settings)]
    assert [text.partition(":")[0] for text in reported] == [
        "--embedding local",
        "--llm openai",
        f"--documents {tmp_path}",
    ]
    assert all("(in the chapters of tutorial.py)" in text for text in reported)
    events = type("Events", (), {"loadgen_prologue": wrong})()
    with pytest.raises(SettingsError, match="3 settings are wrong; nothing was sent"):
        check_prologue(events, settings)
    check_prologue(type("Events", (), {})(), settings)


def test_the_collection_of_the_chapters_is_as_llamaindex_makes_it() -> None:
    own = Chapters()._adapt(Settings(), "")
    assert own.consistency == MilvusVectorStore.model_fields["consistency_level"].default
    assert own.index_type == "FLAT"
