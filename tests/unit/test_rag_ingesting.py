"""An ingest is a sample with its stages in both modes, and its documents have ids that no other ingest has."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from loadgen.clients.base import UndeclaredError
from loadgen.clients.rag.data import DocumentSource
from loadgen.clients.rag.documents import built_in_corpus, make_splitter
from loadgen.clients.rag.embeddings.placed import place_embedder
from loadgen.clients.rag.engine import llm_spec
from loadgen.clients.rag.ingest_stream import IngestStream
from loadgen.clients.rag.models import make_llm
from loadgen.clients.rag.pipeline import STAGES, IngestPath, Source
from loadgen.datasets import Checks
from loadgen.datasets.existing import Fields, inserted_rows
from loadgen.locust_plugin.preparation.llm_server import needs_server
from loadgen.locust_plugin.preparation.run_plan import name_operations
from loadgen.locust_plugin.preparation.variant_setup import open_datasets, resolve_data, set_up_variants
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from loadgen.users import AsyncUser, ProcessState, SyncUser
from tests.unit.rag_engine_support import Scripted, make_clients, make_engine
from tests.unit.rag_support import CountingEmbedder, MemoryStore, index_of

CORPUS = built_in_corpus(5, 1)
SOURCES = [next(stream).node for stream in [IngestStream(CORPUS, 0)] for _ in range(3)]
REQUEST = httpx.Request("POST", "http://127.0.0.1:1/v1/embeddings")
both_modes = pytest.mark.parametrize("mode", Mode)


class Target:
    """An ingest path into memory."""

    def __init__(self) -> None:
        self.embedder, self.store = CountingEmbedder(), MemoryStore()
        embedding = place_embedder(self.embedder, "m", "threads", 100)
        self.path = IngestPath(make_splitter(64, 0), embedding, index_of(self.store, embedding))


def run(mode: Mode, into: Target, sources: Sequence[Source] = SOURCES, deadline: float = 30.0) -> tuple[Any, Sample]:
    """What the client returned, and the only sample."""
    engine = replace(make_engine(Scripted()), ingest_path=into.path, deadline=deadline)
    blocking, awaited, samples = make_clients(engine)
    done = blocking.ingest(sources) if mode is Mode.SYNC else asyncio.run(awaited.ingest(sources))
    (sample,) = samples
    return done, sample


@both_modes
def test_an_ingest_has_all_stages_and_its_chunks_as_rows(mode: Mode) -> None:
    into = Target()
    done, sample = run(mode, into)
    assert done == sample.rows == len(into.store.client) > 3
    assert (sample.operation, sample.outcome, sample.error) == ("ingest", Outcome.OK, None)
    assert tuple(sample.stages) == STAGES
    seconds = [one for one in sample.stages.values() if isinstance(one, float)]
    assert (len(seconds), sum(seconds) <= sample.finished - sample.started) == (4, True)
    assert {node.ref_doc_id for node in into.store.client} == {one.doc_id for one in SOURCES}
    assert into.store.calls == ["add" if mode is Mode.SYNC else "async_add"]


@both_modes
@pytest.mark.parametrize(
    ("status", "outcome"), [(429, Outcome.THROTTLED), (503, Outcome.UNAVAILABLE), (400, Outcome.REJECTED)]
)
def test_an_error_of_the_embedding_is_an_outcome_with_the_stages_before_it(
    mode: Mode, status: int, outcome: Outcome
) -> None:
    into = Target()
    error = openai.APIStatusError("refused", response=httpx.Response(status, request=REQUEST), body=None)

    def refuse() -> None:
        raise error

    into.embedder.before = refuse
    done, sample = run(mode, into)
    assert done is None
    assert (sample.outcome, sample.error, sample.rows) == (outcome, error, 0)
    assert tuple(sample.stages) == ("read", "split")
    assert into.store.client == []


@both_modes
def test_an_ingest_that_ends_after_the_deadline_is_a_timeout(mode: Mode) -> None:
    done, sample = run(mode, Target(), deadline=1e-9)
    assert (done, sample.outcome, sample.rows) == (None, Outcome.TIMEOUT, 0)


def test_ingests_spoil_the_checks_of_questions_and_must_be_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    spoiled: list[bool] = []
    monkeypatch.setattr(Checks, "spoil", lambda _checks: spoiled.append(True))
    run(Mode.SYNC, Target())
    run(Mode.ASYNC, Target())
    assert len(spoiled) == 2
    blocking, awaited, samples = make_clients(make_engine(Scripted()))
    blocking.refused = awaited.refused = frozenset({"ingest"})
    with pytest.raises(UndeclaredError, match="ingest is not declared"):
        blocking.ingest(SOURCES)
    with pytest.raises(UndeclaredError, match="ingest is not declared"):
        asyncio.run(awaited.ingest(SOURCES))
    assert (samples, len(spoiled)) == ([], 2)


def test_documents_come_in_turn_and_ids_differ_between_threads_workers_and_runs() -> None:
    one, two, later = (IngestStream(CORPUS, worker) for worker in (0, 1, 0))
    with ThreadPoolExecutor(4) as threads:
        rows = list(threads.map(lambda _: next(one), range(400)))
    rows += [next(two) for _ in range(100)] + [next(later) for _ in range(100)]
    assert len({row.row_id for row in rows}) == 600
    names = [str(row.node.document.node_id) for row in rows[:400]]
    assert {name: names.count(name) for name in names} == {one.node_id: 80 for one in CORPUS.documents}
    assert all(str(row.row_id).endswith(f"/{row.node.document.node_id}") for row in rows)
    assert all(row.node.doc_id == row.row_id for row in rows)


def test_in_an_existing_collection_ids_are_those_that_the_end_of_the_run_deletes() -> None:
    row = next(IngestStream(CORPUS, 3, token=0xBEEF))
    wanted = inserted_rows(Fields("id", "varchar", "embedding", "float32", "text", "doc_id"), 0xBEEF)
    assert wanted == 'id like "loadgen-beef-%"'
    assert str(row.row_id).startswith("loadgen-beef-3-0/")


def resolve(folder: Path, *operations: str, **given: object) -> Settings:
    (folder / "a.txt").write_text("Old apples differ from new apples in colour. " * 8)
    base = {"client": "rag", "documents": str(folder), "chunk_size": 40, "chunk_overlap": 4, "top_k": 2, "queries": 3}
    return resolve_data(Settings.parse(base | given), operations)


def test_each_variant_ingests_as_many_documents_as_it_says(tmp_path: Path) -> None:
    settings = resolve(tmp_path, "ingest", variants="sync; async documents-per-ingest=3", documents_per_ingest=2)
    variants = set_up_variants(settings)
    (dataset,) = open_datasets(settings, variants.values()).values()
    unused: Any = None
    state = ProcessState(settings, unused, unused, unused)
    rows = dataset.fresh_rows(0)
    state.variants = {name: one.settings for name, one in variants.items()}
    state.rows = dict.fromkeys(variants, rows)
    result = [state.new_documents(name) for name in variants]
    assert [len(one) for one in result] == [2, 3]
    assert len({one.doc_id for every in result for one in every}) == 5
    assert {one.root for every in result for one in every} == {tmp_path}


def test_an_existing_collection_gets_documents_only_if_the_run_may_write(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("apples")
    settings = Settings(client="rag", existing=True, allow_writes=True, documents=str(tmp_path))
    assert list(DocumentSource().open(settings).fresh_rows(0)) == []
    assert next(DocumentSource().open(settings, 7).fresh_rows(0)).row_id == "loadgen-0007-0-0/a.txt"
    given = {"client": "rag", "existing": True, "host": "http://127.0.0.1:1", "documents": str(tmp_path)}
    assert Settings.parse(given | {"allow_writes": True}).documents == str(tmp_path)
    with pytest.raises(SettingsError, match="let users ingest them with --allow-writes"):
        Settings.parse(given)


def test_users_that_ask_nothing_need_no_language_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("LOADGEN_LLM_KEY", raising=False)
    settings = resolve(tmp_path, "ingest", "retrieve", llm="openai:large")
    assert settings.llm == "none"
    assert not needs_server(settings)
    assert make_llm(llm_spec(settings)).metadata.model_name == "unknown"
    assert needs_server(resolve(tmp_path, "ingest", embedding="simulated:8"))
    assert needs_server(resolve(tmp_path, "ingest", "ask"))
    with pytest.raises(SettingsError, match=r"--llm none: cannot answer, but the users ask"):
        resolve(tmp_path, "ask", llm="none")


class Ingesting(SyncUser):
    operations = ("ingest",)


class Asking(AsyncUser):
    operations = ("ask", "retrieve")


class Anything(AsyncUser):
    pass


def test_what_users_perform_is_told_by_their_declarations_or_is_all_that_the_client_can() -> None:
    settings = Settings.parse({"client": "rag"})
    assert name_operations([Ingesting], settings) == {"ingest"}
    assert name_operations([Ingesting, Asking], settings) == {"ingest", "ask", "retrieve"}
    assert name_operations([Anything], settings) == {"ingest", "ask", "retrieve"}
    assert next(one for one in Ingesting.performs("rag")).writes


def test_the_sizes_of_the_documents_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "loadgen")
    resolve(tmp_path, "ingest")
    (reported,) = [one.getMessage() for one in caplog.records]
    assert reported == "1 document to ingest, each with 2.0 chunks and 72 tokens on average (--chunk-size 40)"
