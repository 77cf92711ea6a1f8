"""Embedding models that run in this process, and where their work is done."""

from typing import Protocol

LOCAL_DIM = 256
LOCAL_MODULES = ("wordllama", "safetensors", "tokenizers")
HUGGINGFACE_MODULES = ("llama_index.embeddings.huggingface",)


class Embedder(Protocol):
    """A model whose calls block, from any one thread at a time or several."""

    def embed_queries(self, texts: list[str], /) -> list[list[float]]:
        """A vector for each question."""

    def embed_texts(self, texts: list[str], /) -> list[list[float]]:
        """A vector for each chunk."""
