"""Documents as the rows of a collection, questions as its queries, and what is right for them."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.schema import MetadataMode, NodeRelationship, RelatedNodeInfo, TextNode

from loadgen.clients import find_layer
from loadgen.clients.rag import document_dataset
from loadgen.clients.rag.data import DocumentSource
from loadgen.clients.rag.document_dataset import DocumentDataset
from loadgen.datasets import Checks
from loadgen.locust_plugin.preparation.run_plan import plan_users
from loadgen.locust_plugin.preparation.searches import make_queries
from loadgen.locust_plugin.preparation.variant_setup import open_datasets, resolve_data, set_up_variants
from loadgen.milvus.store import to_node
from loadgen.milvus.store.manifest import find_differences, make_manifest
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from loadgen.users import AsyncUser, SyncUser
from tests.unit.rag_engine_support import QUESTION, Scripted, make_clients, make_engine
from tests.unit.rag_support import make_pdf

SUBJECTS = ("apples", "bridges", "clouds", "dragons")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    documents = tmp_path / "documents"
    documents.mkdir()
    for subject in SUBJECTS:
        (documents / f"{subject}.txt").write_text(f"Old {subject} differ from new {subject} in colour. " * 8)
    return documents


def resolve(folder: Path, **given: object) -> Settings:
    chunks = {"chunk_size": 40, "chunk_overlap": 4, "top_k": 2, "queries": 12}
    return resolve_data(Settings.parse({"client": "rag", "documents": str(folder), **chunks, **given}))


def open_documents(settings: Settings) -> DocumentDataset:
    return DocumentSource().open(settings)


def faults(folder: Path, **given: object) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        resolve(folder, **given)
    return [str(fault) for fault in caught.value.faults]


def test_documents_decide_rows_dimension_and_the_name_of_the_data(folder: Path) -> None:
    settings = resolve(folder)
    dataset = open_documents(settings)
    assert settings.rows == dataset.size > len(SUBJECTS)
    assert (settings.dim, settings.dataset, settings.queries) == (256, "documents", 12)
    assert resolve(folder, embedding="simulated:48").dim == 48


def test_a_chunk_is_inserted_as_the_splitter_made_it_with_its_vector_and_its_origin(folder: Path) -> None:
    dataset = open_documents(resolve(folder))
    rows = dataset.rows(0, dataset.size)
    node = to_node(rows[0])
    assert isinstance(node, TextNode)
    assert (node.node_id, node.ref_doc_id) == (dataset.row_id(0), "apples.txt")
    assert node.embedding == pytest.approx(dataset.vectors(0, 1)[0].tolist())
    assert len(node.embedding or ()) == 256
    assert node.metadata["loadgen"] == dataset.fingerprint
    assert dataset.fingerprint not in node.get_content(MetadataMode.LLM), "the model does not read it"
    assert {row.source for row in rows} == {f"{subject}.txt" for subject in SUBJECTS}
    assert len({row.row_id for row in rows}) == dataset.size


def test_other_documents_chunks_or_embeddings_are_other_data(folder: Path) -> None:
    settings = resolve(folder)
    others = [resolve(folder, chunk_size=60), resolve(folder, embedding="simulated:256")]
    prints = [open_documents(one).fingerprint for one in (settings, *others)]
    (folder / "apples.txt").write_text("Something else entirely. " * 20)
    prints.append(open_documents(settings).fingerprint)
    assert len(set(prints)) == 4


def test_a_collection_of_other_documents_or_another_embedding_is_told_apart(folder: Path) -> None:
    settings = resolve(folder)
    kept = json.loads(json.dumps(make_manifest(settings, open_documents(settings))))
    assert find_differences(kept, make_manifest(settings, open_documents(settings)), settings) == []
    other = resolve(folder, embedding="simulated:64")
    (fault,) = [
        str(one)
        for one in find_differences(kept, make_manifest(other, open_documents(other)), other)
        if one.setting == "embedding"
    ]
    assert fault.startswith("--embedding simulated:64: collection 'loadgen' has embedding local. Use --embedding local")
    (folder / "apples.txt").write_text("Something else entirely. " * 20)
    changed = resolve(folder)
    (reported,) = find_differences(kept, make_manifest(changed, open_documents(changed)), changed)
    assert str(reported).startswith("--documents documents: collection 'loadgen' contains other documents")


def test_a_broken_pdf_is_named_and_counted_and_the_others_are_used(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "torn.pdf").write_bytes(make_pdf("all about pears")[:60])
    (folder / "whole.pdf").write_bytes(make_pdf("all about plums"))
    reported = DocumentSource().describe(resolve(folder))
    assert reported.startswith("5 documents (")
    (line,) = [record.message for record in caplog.records if "left out" in record.message]
    assert line.startswith(f"1 file of {folder} left out: torn.pdf (")


def test_what_all_processes_must_have_is_told_by_numbers_and_fingerprints(folder: Path, tmp_path: Path) -> None:
    source, settings = DocumentSource(), resolve(folder)
    reported = source.describe(settings)
    digits = r" \(fingerprint [0-9a-f]{16}\)"
    assert re.fullmatch(f"4 documents{digits} and 12 questions{digits}", reported)
    assert source.describe(resolve(folder, chunk_size=60)) == reported, "chunks follow from documents"
    (folder / "apples.txt").write_text("Something else entirely. " * 20)
    assert source.describe(settings) != reported
    file = tmp_path / "questions.jsonl"
    file.write_text('{"question": "Why?"}\n')
    existing = Settings(client="rag", existing=True, questions=str(file), queries=5)
    alone = source.describe(existing)
    assert alone.startswith("1 question (fingerprint ")
    file.write_text('{"question": "Why?", "documents": ["apples.txt"]}\n')
    assert source.describe(existing) != alone


def test_a_process_that_asks_questions_splits_no_documents(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = resolve(folder)
    monkeypatch.setattr(document_dataset, "find_chunks", lambda _settings: pytest.fail("split"))
    variants = set_up_variants(settings)
    state: Any = type("State", (), {"settings": settings, "checks": Checks()})()
    make_queries(state, variants, open_datasets(settings, variants.values()))
    assert len(state.queries["async"]) == 12


def test_a_language_model_that_nobody_asks_needs_no_key(folder: Path) -> None:
    models = {"llm": "openai:m", "variants": ("rag/sync", "rag/async llm=openai:n")}
    settings = Settings.parse({"client": "rag", "documents": str(folder), "top_k": 2, **models})
    with pytest.raises(SettingsError, match="needs a key"):
        resolve_data(settings, ("ask",))
    with pytest.raises(SettingsError, match="needs a key"):
        resolve_data(settings)
    assert resolve_data(settings, ()).llm == "none"


def test_generated_questions_are_strings_of_which_each_expects_its_document(folder: Path) -> None:
    settings = resolve(folder, recall_every=1)
    variants = set_up_variants(settings)
    datasets = open_datasets(settings, variants.values())
    state: Any = type("State", (), {"settings": settings, "checks": Checks()})()
    make_queries(state, variants, datasets)
    assert state.queries["sync"] is state.queries["async"]
    assert len(state.queries["sync"]) == 12
    assert all(isinstance(question, str) for question in state.queries["sync"])
    engine = make_engine(Scripted())
    result = engine.retriever.retrieve(QUESTION)
    for node, name in zip(result, ("apples.txt", "clouds.txt", "apples.txt"), strict=True):
        node.node.relationships = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=name)}
    for question in state.queries["sync"]:
        state.checks.keep("retrieve", question, result)
    checks = dict(zip(state.queries["sync"], state.checks.settle(), strict=True))
    right = {question: 1.0 if "apples" in question or "clouds" in question else 0.0 for question in checks}
    assert {question: check.recall for question, check in checks.items()} == right
    ranks = {question: 1.0 if "apples" in question else 0.5 if "clouds" in question else 0.0 for question in checks}
    assert {question: check.rank for question, check in checks.items()} == ranks
    assert set(ranks.values()) == {0.0, 0.5, 1.0}


def test_questions_of_a_file_may_expect_nothing_and_then_have_no_recall(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text('{"question": "Why?"}\n{"question": "Who?", "documents": ["apples.txt", "clouds.txt"]}\n')
    dataset = open_documents(resolve(folder, questions=str(file)))
    assert dataset.query_texts(5) == ["Why?", "Who?"]
    assert dataset.queries().shape == (2, 1)
    assert dataset.judge.queries == 2
    assert (dataset.judge.recall(0, [], str), dataset.judge.reciprocal_rank(0, [])) == (None, None)
    assert (dataset.judge.recall(1, [], str), dataset.judge.reciprocal_rank(1, [])) == (0.0, 0.0)
    nameless = make_engine(Scripted()).retriever.retrieve(QUESTION)
    for each in nameless:
        each.node.relationships = {}
    assert dataset.judge.reciprocal_rank(1, nameless) is None
    assert dataset.judge.recall(1, nameless, str) is None, "chunks that name no document prove nothing"


def test_users_who_ask_an_existing_collection_need_questions_although_they_may_write() -> None:
    settings = Settings(client="rag", existing=True, allow_writes=True, collection="theirs")
    (fault,) = DocumentSource().find_faults([settings], ("ask", "ingest"))
    assert str(fault).startswith("--questions: are required with --existing by users who ask")
    assert DocumentSource().find_faults([settings], ("ingest",)) == []


def test_only_the_retrieval_of_users_that_do_both_is_checked() -> None:
    blocking, awaited, _ = make_clients(make_engine(Scripted()))
    kept: list[str] = []
    for client in (blocking, awaited):
        client._checks.keep = lambda operation, *_: kept.append(operation)  # type: ignore[method-assign]
    blocking.ask(QUESTION)
    blocking.retrieve(QUESTION)
    asyncio.run(awaited.retrieve(QUESTION))
    assert kept == ["retrieve", "retrieve"]
    awaited.refused = frozenset({"retrieve"})
    asyncio.run(awaited.ask(QUESTION))
    assert kept[2:] == ["ask"]


def test_all_faults_of_documents_questions_and_models_come_together(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text('{"question": "Who?", "documents": ["nobody.txt"]}\n{}\n')
    reported = faults(folder, questions=str(file), llm="gpt", embedding="local", embed_in="server", dim="64")
    assert [text.partition(":")[0] for text in reported] == [
        "--llm gpt", "--embed-in server", "--dim 64", f"--questions {file}", f"--questions {file}",
    ]  # fmt: skip
    assert "'nobody.txt'" in reported[3]
    assert "has no text as 'question'" in reported[4]
    (missing,) = faults(tmp_path / "nowhere")
    assert missing.startswith(f"--documents {tmp_path / 'nowhere'}: cannot be read (No such file or directory).")


def test_more_neighbours_than_chunks_are_refused(folder: Path) -> None:
    (reported,) = faults(folder, top_k=500)
    assert re.match(r"--top-k 500: is more than the [2-9]\d* chunks of the documents\. Lower", reported)
    file = folder / "one" / "short.txt"
    file.parent.mkdir()
    file.write_text("One chunk.")
    assert faults(file, top_k=3) == [
        "--top-k 3: is more than the 1 chunk of the documents. Lower --top-k to 1 or less, or --chunk-size."
    ]


def test_an_existing_collection_needs_an_embedding_of_its_dimension() -> None:
    settings = Settings(client="rag", existing=True, embedding="simulated:64", collection="theirs")
    assert DocumentSource().find_misfits(settings, 64) == []
    (fault,) = DocumentSource().find_misfits(settings, 128)
    assert "makes vectors of dimension 64, and collection 'theirs' has 128" in str(fault)


class SyncSearching(SyncUser):
    operations = ("search",)
    tasks = [lambda _user: None]  # noqa: RUF012 - Locust's own way


class AsyncAsking(AsyncUser):
    operations = ("ask",)
    tasks = [lambda _user: None]  # noqa: RUF012 - Locust's own way


def test_users_of_another_client_and_variants_with_other_data_are_refused() -> None:
    with pytest.raises(SettingsError, match="SyncSearching: declares search, which --client rag does not have"):
        plan_users([SyncSearching, AsyncAsking], Settings.parse({"client": "rag"}))
    with pytest.raises(SettingsError, match="rag has other data and operations than llamaindex"):
        plan_users([SyncSearching, AsyncAsking], Settings.parse({"variants": "sync; rag/async"}))


def test_operations_of_users_are_those_of_the_client_of_the_run() -> None:
    (ask,) = AsyncAsking.performs("rag")
    assert ask is find_layer("rag").operations[0]
    assert ask.stages == ("embed", "retrieve", "first_token", "generate")
    assert AsyncAsking.performs()[0].stages == ()


def test_variants_with_another_number_of_chunks_share_questions_and_are_checked_too(folder: Path) -> None:
    settings = resolve(folder, recall_every=1, variants="sync; sync top-k=3")
    variants = set_up_variants(settings)
    state: Any = type("State", (), {"settings": settings, "checks": Checks()})()
    make_queries(state, variants, open_datasets(settings, variants.values()))
    for name in variants:
        state.checks.keep("retrieve", state.queries[name][0], [])
    assert [check.recall for check in state.checks.settle()] == [0.0, 0.0]
