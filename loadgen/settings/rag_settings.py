"""Settings of the RAG path: its documents, questions and models."""

from typing import Literal

from loadgen.settings.data_settings import OperationSettings
from loadgen.settings.setting import setting

RAG = "rag"
"""The client layer that these settings are for."""
KEY_VARIABLES = {"llm": "LOADGEN_LLM_KEY", "embedding": "LOADGEN_EMBEDDING_KEY"}
"""Environment variables with API keys, by the setting of the model. They are no settings, so no page, record or message
contains them."""


class RagSettings(OperationSettings):
    """The RAG path."""

    client: Literal["llamaindex", "pymilvus", "wire", "rag"] = setting(
        "llamaindex", "client layer of variants that name none; rag: the whole path from question to answer"
    )
    documents: str = setting(
        "", "file or folder with .txt, .md and .pdf documents to index; default: generated texts, seeded"
    )
    documents_per_ingest: int = setting(1, "documents per ingest operation", ge=1, le=10_000)
    chunk_size: int = setting(1024, "maximum tokens of a chunk of a document", ge=16, le=100_000)
    chunk_overlap: int = setting(200, "tokens that two neighbouring chunks share", ge=0, le=50_000)
    questions: str = setting(
        "", "JSON Lines file of questions with the ids of expected documents; default: generated from the documents"
    )
    embedding: str = setting(
        "local",
        "embedding model: local, simulated:DIM, huggingface:MODEL or openai:MODEL",
        min_length=1,
        hint="Give local, simulated:384, huggingface:MODEL or openai:MODEL",
    )
    embedding_url: str = setting("", "OpenAI-compatible server of the embedding model; default: OpenAI's")
    embed_in: Literal["auto", "loop", "threads", "batched", "server"] = setting(
        "auto",
        "where questions are embedded: in the event loop, on threads, batched on one thread, or by a server; "
        "auto: by a server if the model has one, otherwise on threads",
    )
    llm: str = setting(
        "simulated",
        "language model: simulated or openai:MODEL; none: for users that do not ask",
        min_length=1,
        hint="Give simulated, openai:MODEL or none",
    )
    llm_url: str = setting("", "OpenAI-compatible server of the language model; default: OpenAI's")
    stream: bool = setting(False, "stream answers, so that the first token arrives before the last")
    simulated_url: str = setting(
        "", "server of simulated models, such as a running loadgen serve-llm; default: start one for the run"
    )
