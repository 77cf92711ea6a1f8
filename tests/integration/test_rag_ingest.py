"""Documents are ingested into a real collection, the same in both modes, and found again."""

import asyncio
import uuid
from typing import Any

import pytest
from llama_index.core import VectorStoreIndex
from llama_index.vector_stores.milvus import MilvusVectorStore

from loadgen.clients.rag.documents import built_in_corpus, make_splitter, split_corpus
from loadgen.clients.rag.models import ModelSpec, close_model, make_embedding
from loadgen.clients.rag.pipeline import STAGES, IngestPath, Source, aingest, ingest
from loadgen.clients.rag.questions import generate_questions, recall_of

CORPUS = built_in_corpus(24, 5)


def open_store(uri: str, name: str) -> MilvusVectorStore:
    return MilvusVectorStore(uri=uri, collection_name=name, dim=256, overwrite=False, consistency_level="Strong")


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("place", ["loop", "threads", "batched"])
def test_what_is_ingested_is_in_the_collection_and_found(mode: str, place: str, lite_uri: str) -> None:
    embedding = make_embedding(ModelSpec("local"), place)
    name = f"rag_{uuid.uuid4().hex[:12]}"

    async def work() -> tuple[list[int], Any]:
        store = open_store(lite_uri, name)
        path = IngestPath(
            make_splitter(128, 16), embedding, VectorStoreIndex.from_vector_store(store, embed_model=embedding)
        )
        sources = [Source(one.node_id, one) for one in CORPUS.documents]
        batches = [sources[:10], sources[10:20], sources[20:]]
        stages: list[dict[str, float]] = [{} for _ in batches]
        pairs = list(zip(batches, stages, strict=True))
        if mode == "sync":
            done = [ingest(path, *pair) for pair in pairs]
        else:
            done = list(await asyncio.gather(*(aingest(path, *pair) for pair in pairs)))
        retriever = path.index.as_retriever(similarity_top_k=5)
        questions = generate_questions(CORPUS, 24, 5)
        if mode == "sync":
            found = [retriever.retrieve(one.text) for one in questions]
        else:
            found = list(await asyncio.gather(*(retriever.aretrieve(one.text) for one in questions)))
        recalls = [
            recall_of(one.expected, [str(hit.node.ref_doc_id) for hit in hits])
            for one, hits in zip(questions, found, strict=True)
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
