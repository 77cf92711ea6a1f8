"""Documents are ingested into a real collection, the same in both modes, and retrieved again."""

import asyncio
import re
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import VectorStoreIndex

from loadgen.clients.rag.documents import built_in_corpus, make_splitter, split_corpus
from loadgen.clients.rag.models import ModelSpec, close_model, make_embedding
from loadgen.clients.rag.pipeline import STAGES, IngestPath, Source, aingest, ingest
from loadgen.clients.rag.questions import generate_questions, recall_of
from loadgen.llm_server import Behaviour, start_llm_server
from loadgen.llm_server.plan import plan_embedding
from loadgen.measure.histogram_texts import decode_histogram
from loadgen.measure.loop_holds import LoopHolds
from loadgen.measure.sample import Outcome
from loadgen.results.record import read_record
from tests.integration.locust_command import run_locust
from tests.integration.plain_clients import client_of, open_store

BRIEF = ("--concurrency", "2", "--rounds", "1", "--phase-seconds", "1", "--warmup-seconds", "0.2")
CORPUS = built_in_corpus(24, 5)


STORE: dict[str, Any] = {"dim": 256, "overwrite": False, "consistency_level": "Strong"}


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("place", ["loop", "threads", "batched"])
def test_what_is_ingested_is_in_the_collection_and_found(mode: str, place: str, lite_uri: str) -> None:
    embedding = make_embedding(ModelSpec("local"), place)
    name = f"rag_{uuid.uuid4().hex[:12]}"

    async def work() -> tuple[list[int], Any]:
        store = open_store(lite_uri, name, **STORE)
        path = IngestPath(
            make_splitter(128, 16), embedding, VectorStoreIndex.from_vector_store(store, embed_model=embedding)
        )
        sources = [Source(one.node_id, one) for one in CORPUS.documents]
        batches = [sources[:10], sources[10:20], sources[20:]]
        stages: list[dict[str, float]] = [{} for _ in batches]
        pairs = list(zip(batches, stages, strict=True))
        if mode == "sync":
            done = [len(ingest(path, *pair)) for pair in pairs]
        else:
            done = [len(one) for one in await asyncio.gather(*(aingest(path, *pair, LoopHolds()) for pair in pairs))]
        retriever = path.index.as_retriever(similarity_top_k=5)
        questions = generate_questions(CORPUS, 24, 5)
        if mode == "sync":
            result = [retriever.retrieve(one.text) for one in questions]
        else:
            result = list(await asyncio.gather(*(retriever.aretrieve(one.text) for one in questions)))
        recalls = [
            recall_of(one.expected, [str(hit.node.ref_doc_id) for hit in hits])
            for one, hits in zip(questions, result, strict=True)
        ]
        assert sum(recalls) / len(recalls) > 0.9
        client: Any = store.client
        rows = client.query(name, filter="", output_fields=["id", "doc_id"], limit=10_000)
        client.drop_collection(name)
        aclient: Any = store.aclient
        await aclient.close()
        client.close()
        assert [tuple(one) for one in stages] == [STAGES] * 3
        return done, {(row["id"], row["doc_id"]) for row in rows}

    chunks, rows = asyncio.run(work())
    close_model(embedding)
    nodes = split_corpus(CORPUS, 128, 16)
    assert rows == {(node.node_id, node.ref_doc_id) for node in nodes}
    assert sum(chunks) == len(nodes)


def test_ingests_through_the_command_are_counted_as_the_server_counts_them_and_the_next_run_reloads(
    lite_uri: str, tmp_path: Path
) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    for subject in ("apples", "bridges", "clouds"):
        (documents / f"{subject}.txt").write_text(f"Old {subject} differ from new {subject} in colour. " * 20)
    own = ("--host", lite_uri, "--collection", "rag_ingested", "--documents", str(documents))
    small = ("--chunk-size", "64", "--chunk-overlap", "0", "--queries", "5", "--top-k", "2")
    flags = (*own, *small, *BRIEF)
    variants = ("--variants", "sync; async documents-per-ingest=2")
    run = run_locust(tmp_path / "a", *flags, *variants, files="rag_ingest.py")
    run.assert_good()
    record = read_record(next((tmp_path / "a" / "runs").glob("[!.]*.json")))
    base = record.manifest.rows
    each = base // 3
    assert base == 3 * each > 3
    assert (record.manifest.settings["llm"], "imulated" in run.out + run.err) == ("none", False)
    for phase in record.phases:
        (result,) = phase.operations
        assert (result.operation, set(result.outcomes)) == ("ingest", {"ok"})
        counts = {name: decode_histogram(one.histogram).get_total_count() for name, one in result.stages.items()}
        number = result.outcomes[Outcome.OK]
        assert counts == dict.fromkeys(STAGES, number)
        documents_each = 2 if "documents" in phase.variant else 1
        assert result.items["documents"] == documents_each * number
        assert result.items["chunks"] == each * documents_each * number
        assert 20 * 64 > result.items["tokens"] / result.items["documents"] > 20 * 8, "20 sentences of some ten tokens"
    stats = run.reported["stats"]
    assert set(stats) == {"sync ingest", "async documents-per-ingest=2 ingest"}
    ingested = stats["sync ingest"] + 2 * stats["async documents-per-ingest=2 ingest"]
    with client_of(lite_uri) as client:
        count: dict[str, Any] = {"output_fields": ["count(*)"], "consistency_level": "Strong"}
        (every,) = client.query("rag_ingested", filter="", **count)
        (inserted,) = client.query("rag_ingested", filter='loadgen == "inserted"', **count)
        ids = client.query("rag_ingested", filter='loadgen == "inserted"', output_fields=["doc_id"], limit=16_000)
    assert (inserted["count(*)"], every["count(*)"]) == (each * ingested, base + each * ingested)
    assert len({row["doc_id"] for row in ids}) == ingested > 0
    again = run_locust(tmp_path / "b", *flags, "--mode", "async", "-t", "1", files="rag_ingest.py")
    again.assert_good()
    assert f"contains {base + each * ingested:,} rows, {each * ingested:,} more than asked for: reloading" in again.err
    with client_of(lite_uri) as client:
        (before,) = client.query("rag_ingested", filter="", **count)
    kept = run_locust(tmp_path / "c", *own, *BRIEF, "--existing", "--allow-writes", files="rag_ingest.py")
    kept.assert_good()
    deleted = re.search(r"Deleted ([\d,]+) inserted rows from collection 'rag_ingested'", kept.err)
    assert deleted is not None
    assert int(deleted[1].replace(",", "")) == sum(kept.reported["stats"].values()), "one chunk each"
    with client_of(lite_uri) as client:
        (after,) = client.query("rag_ingested", filter="", **count)
        client.drop_collection("rag_ingested")
    assert after == before


def test_errors_of_an_embedding_server_are_outcomes_and_match_its_counts(lite_uri: str, tmp_path: Path) -> None:
    own = ("--host", lite_uri, "--collection", "rag_refused", "--embedding", "simulated:8", "--mode", "async")
    flags = (*own, "--queries", "5", "-u", "2", "-t", "2")
    with start_llm_server() as server:  # it embeds the documents of the collection, which the second run reuses
        run_locust(tmp_path / "a", *flags, "--simulated-url", server.url, files="rag_query.py").assert_good()
    behaviour = Behaviour(embedding_errors="429:0.2; 503:0.1", seed=5)
    warming = plan_embedding(behaviour, 0).error, plan_embedding(behaviour, 1).error
    assert warming == ("", ""), "else the first question is asked once, not twice"
    with start_llm_server(behaviour) as server:
        url = ("--simulated-url", server.url, "--max-failures", "90%")
        run = run_locust(tmp_path / "b", *flags, *url, files="rag_ingest.py")
        run.assert_good()
        counts = server.counts()
    record = read_record(next((tmp_path / "b" / "runs").glob("[!.]*.json")))
    outcomes: Counter[str] = Counter()
    for one in [*(each for phase in record.phases for each in phase.operations), *record.outside]:
        outcomes.update({str(outcome): number for outcome, number in one.outcomes.items()})
    kinds = {"ok": "ok", "429": "throttled", "503": "unavailable"}
    outcomes["ok"] += len(warming)
    assert outcomes == {kinds[name]: number for name, number in counts.embedding.outcomes.items()}
    assert outcomes.keys() == set(kinds.values()), "every kind of error occurred"
    assert counts.chat.requests == 0
    with client_of(lite_uri) as client:
        (inserted,) = client.query("rag_refused", filter='loadgen == "inserted"', output_fields=["count(*)"])
        client.drop_collection("rag_refused")
    assert inserted["count(*)"] == outcomes["ok"] - len(warming), "each document is one chunk"
