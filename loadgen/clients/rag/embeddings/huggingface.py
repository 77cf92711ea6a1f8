"""A sentence-transformers model, by LlamaIndex's HuggingFaceEmbedding."""

from importlib import import_module
from typing import Any


class HuggingFaceEmbedder:
    """Implements `Embedder`. A question has its own instruction, so each is a step of the model by itself."""

    def __init__(self, embedding: Any) -> None:
        self._embedding = embedding

    def embed_queries(self, texts: list[str], /) -> list[list[float]]:
        """A vector for each question."""
        return [self._embedding.get_query_embedding(text) for text in texts]

    def embed_texts(self, texts: list[str], /) -> list[list[float]]:
        """A vector for each chunk."""
        found: list[list[float]] = self._embedding.get_text_embedding_batch(texts)
        return found


def load_huggingface(model: str, batch_size: int) -> HuggingFaceEmbedder:
    """Load a model by its name on the Hub, or from its cache. Raises OSError or ValueError where it is not there."""
    kind = import_module("llama_index.embeddings.huggingface").HuggingFaceEmbedding
    return HuggingFaceEmbedder(kind(model_name=model, embed_batch_size=batch_size))
