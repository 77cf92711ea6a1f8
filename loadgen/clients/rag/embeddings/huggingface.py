"""A sentence-transformers model, by LlamaIndex's HuggingFaceEmbedding."""

from importlib import import_module
from typing import Any


class HuggingFaceEmbedder:
    """Implements `Embedder`: questions and chunks have different instructions.

    LlamaIndex's class tries three times, seconds apart; here the first failure counts.
    """

    def __init__(self, embedding: Any) -> None:
        self._embedding = embedding

    def embed_queries(self, texts: list[str], /) -> list[list[float]]:
        """A vector for each question."""
        return self._embed(texts, "query")

    def embed_texts(self, texts: list[str], /) -> list[list[float]]:
        """A vector for each chunk."""
        return self._embed(texts, "text")

    def _embed(self, texts: list[str], instruction: str) -> list[list[float]]:
        once = type(self._embedding)._embed_with_retry.__wrapped__  # noqa: SLF001 - no public method takes several questions
        result: list[list[float]] = once(self._embedding, texts, instruction)
        return result


def load_huggingface(model: str, batch_size: int) -> HuggingFaceEmbedder:
    """Load a model by its name on the Hub, or from its cache. Raises OSError or ValueError where it is not there."""
    kind = import_module("llama_index.embeddings.huggingface").HuggingFaceEmbedding
    return HuggingFaceEmbedder(kind(model_name=model, embed_batch_size=batch_size))
