"""What the tests of RAG share: files of each kind, models that count, a vector store in memory."""

import threading
from collections.abc import Callable
from typing import Any

from llama_index.core import VectorStoreIndex
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import BasePydanticVectorStore, VectorStoreQuery, VectorStoreQueryResult

PAGE = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Contents {} 0 R /Resources << /Font << /F1 3 0 R >> >> >>"


def make_pdf(*pages: str) -> bytes:
    """A PDF with one line of ASCII on each page."""
    bodies = ["<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for text in pages:
        drawn = f"BT /F1 12 Tf 20 200 Td ({text}) Tj ET"
        bodies.append(f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream")
        bodies.append(PAGE.format(len(bodies)))
        kids.append(f"{len(bodies)} 0 R")
    bodies[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    content, places = b"%PDF-1.4\n", []
    for number, body in enumerate(bodies, 1):
        places.append(len(content))
        content += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    size = len(bodies) + 1
    end = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n"
    return content + f"{end}{len(content)}\n%%EOF\n".encode()


class CountingEmbedder:
    """An `Embedder` whose vectors are the length of the text and the kind of the call; it keeps its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str], str]] = []
        self.before: Callable[[], None] = lambda: None

    def embed_queries(self, texts: list[str], /) -> list[list[float]]:
        return self._embed("query", texts)

    def embed_texts(self, texts: list[str], /) -> list[list[float]]:
        return self._embed("text", texts)

    def _embed(self, kind: str, texts: list[str]) -> list[list[float]]:
        self.calls.append((kind, list(texts), threading.current_thread().name))
        self.before()
        return [[float(len(text)), float(kind == "query")] for text in texts]


class MemoryStore(BasePydanticVectorStore):
    """A vector store that keeps the nodes and how they arrived."""

    stores_text: bool = True
    _nodes: list[BaseNode] = PrivateAttr(default_factory=list)
    _calls: list[str] = PrivateAttr(default_factory=list)

    @property
    def client(self) -> Any:
        return self._nodes

    @property
    def calls(self) -> list[str]:
        return self._calls

    def add(self, nodes: Any, **_: Any) -> list[str]:
        self._calls.append("add")
        self._nodes.extend(nodes)
        return [node.node_id for node in nodes]

    async def async_add(self, nodes: Any, **_: Any) -> list[str]:
        self._calls.append("async_add")
        self._nodes.extend(nodes)
        return [node.node_id for node in nodes]

    def delete(self, ref_doc_id: str, **_: Any) -> None:
        self._nodes[:] = [node for node in self._nodes if node.ref_doc_id != ref_doc_id]

    def query(self, query: VectorStoreQuery, **_: Any) -> VectorStoreQueryResult:
        raise NotImplementedError


def index_of(store: MemoryStore, embedding: Any) -> VectorStoreIndex:
    return VectorStoreIndex.from_vector_store(store, embed_model=embedding)
