"""Embedding models and LLMs by name.

Embeddings: `simulated:DIM`, `local`, `huggingface:MODEL`, `openai:MODEL`. LLMs: `simulated`, `openai:MODEL`. The
simulated and the openai ones are asked over HTTP, at any server with OpenAI's API.
"""

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable
from urllib.parse import urlsplit

from loadgen.clients.rag.embeddings import HUGGINGFACE_MODULES, LOCAL_DIM, LOCAL_MODULES
from loadgen.clients.rag.extras import HUGGINGFACE, RAG, list_missing, name_remedy
from loadgen.llm_server.behaviour import LARGEST_DIM
from loadgen.settings.conflicts import without_secret
from loadgen.settings.rag_settings import KEY_VARIABLES
from loadgen.text.listing import join
from loadgen.text.plain_text import one_line

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.llms import LLM

SIMULATED, LOCAL, OPENAI = "simulated", "local", "openai"
NONE = "none"
"""No LLM: for users that ask nothing."""
EMBEDDING_NAMES = "simulated:384, local, huggingface:MODEL or openai:MODEL"
LLM_NAMES = "simulated, openai:MODEL or none"
LOOP, THREADS, BATCHED, SERVER = "loop", "threads", "batched", "server"
EMBED_IN = (LOOP, THREADS, BATCHED, SERVER)
"""Where embeddings are computed: in the caller (a coroutine blocks the loop), each in a thread of a pool, all on one
thread that takes what waits as a batch, or on a server."""
OPENAI_URL = "https://api.openai.com/v1"
NO_KEY = "none"
"""Sent where a server is given and no key; the client refuses an empty one."""
REMOTE_MODULES = {"llm": ("llama_index.llms.openai_like",), "embedding": ("llama_index.embeddings.openai_like",)}
OPENAI_KEY = "OPENAI_API_KEY"
"""Environment variable of the key that is sent to OpenAI alone."""


class ModelError(ValueError):
    """A model that cannot be used; the message names it, the problem and the remedy."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model, and how to reach it."""

    name: str
    url: str = ""
    """Base URL of the API, such as http://127.0.0.1:8000/v1; empty for OpenAI itself."""
    key: str = field(default="", repr=False)
    timeout: float = 60.0
    """Seconds a request may take; of a stream, seconds without an event."""
    batch_size: int = 10
    """Maximum texts in one request for embeddings, or one step of a model in this process."""
    context_window: int = 32_768
    """Tokens that prompt and answer may have together; LlamaIndex packs chunks into a prompt by it."""
    max_tokens: int | None = None
    """Maximum tokens of an answer; None leaves it to the server."""
    is_traced: bool = False
    """Its requests send the trace context of sampled operations."""

    @property
    def kind(self) -> str:
        """What is before the colon."""
        return self.name.partition(":")[0]

    @property
    def model(self) -> str:
        """What is after it."""
        return self.name.partition(":")[2]

    @property
    def is_remote(self) -> bool:
        """Whether it is asked over HTTP."""
        return self.kind in (SIMULATED, OPENAI)


@runtime_checkable
class Closable(Protocol):
    """A model that owns connections or a thread."""

    def close(self) -> None:
        """End what the blocking calls use; idempotent."""

    async def aclose(self) -> None:
        """End all, on the loop whose coroutines used it; idempotent."""


def check_embedding(spec: ModelSpec) -> list[str]:
    """What is wrong with a spec of an embedding model, each with a remedy; nothing is asked or loaded."""
    if spec.kind == SIMULATED:
        return [*_check_dim(spec), *_check_remote(spec, "embedding")]
    if spec.kind == OPENAI:
        return [*_check_model(spec, "text-embedding-3-small"), *_check_remote(spec, "embedding")]
    if spec.name == LOCAL:
        return [*_check_here(spec), *_check_modules(LOCAL_MODULES, RAG)]
    if spec.kind == HUGGINGFACE:
        faults = [*_check_model(spec, "BAAI/bge-base-en-v1.5"), *_check_here(spec)]
        return faults + _check_modules(HUGGINGFACE_MODULES, HUGGINGFACE)
    return [f"is no embedding model. Choose {EMBEDDING_NAMES}."]


def check_embed_in(spec: ModelSpec, embed_in: str) -> list[str]:
    """Whether a model can be computed there."""
    here = f"{', '.join(EMBED_IN[:-2])} or {EMBED_IN[-2]}"
    if embed_in not in EMBED_IN:
        return [f"{embed_in!r} is no place to embed. Choose {join(EMBED_IN)}."]
    if spec.is_remote and embed_in != SERVER:
        return [f"{embed_in} is for models in this process, and {one_line(spec.name)} is on a server. Use {SERVER}."]
    if not spec.is_remote and embed_in == SERVER:
        return [f"{embed_in} is for models on a server, and {one_line(spec.name)} is in this process. Use {here}."]
    return []


def check_llm(spec: ModelSpec) -> list[str]:
    """What is wrong with a spec of an LLM, each with a remedy; nothing is asked."""
    if spec.name == NONE:
        return []
    if spec.name == SIMULATED:
        return _check_remote(spec, "llm")
    if spec.kind == OPENAI:
        return [*_check_model(spec, "gpt-4o-mini"), *_check_remote(spec, "llm")]
    return [f"is no LLM. Choose {LLM_NAMES}."]


def find_dim(spec: ModelSpec) -> int | None:
    """The dimension of a model's vectors, where its name determines it."""
    if spec.kind == SIMULATED and not _check_dim(spec):
        return int(spec.model)
    return LOCAL_DIM if spec.name == LOCAL else None


def make_embedding(spec: ModelSpec, embed_in: str) -> "BaseEmbedding":
    """An embedding for one process and mode, closed by `close_model`. Raises ModelError.

    Neither it nor the client below it retries. A local model is loaded here; the async connections belong to the
    first loop that uses them.
    """
    _require(spec, [*check_embedding(spec), *check_embed_in(spec, embed_in)])
    if spec.is_remote:
        from loadgen.clients.rag.remote import make_remote_embedding

        return make_remote_embedding(spec.name if spec.kind == SIMULATED else spec.model, _locate(spec))
    from loadgen.clients.rag.embeddings.placed import place_embedder

    if spec.name == LOCAL:
        from loadgen.clients.rag.embeddings.local import load_local

        return place_embedder(load_local(), spec.name, embed_in, spec.batch_size)
    from loadgen.clients.rag.embeddings.huggingface import load_huggingface

    try:
        return place_embedder(load_huggingface(spec.model, spec.batch_size), spec.name, embed_in, spec.batch_size)
    except (OSError, ValueError) as error:  # no such model, or no network
        hint = "Correct the name, or download the model beforehand."
        raise ModelError(f"{one_line(spec.name)} cannot be loaded ({one_line(error, 200)}). {hint}") from error


def make_llm(spec: ModelSpec) -> "LLM":
    """An LLM for one process and mode, closed by `close_model`; it does not retry. Raises ModelError.

    `none` is LlamaIndex's own mock, which is not to be asked.
    """
    _require(spec, check_llm(spec))
    if spec.name == NONE:
        from llama_index.core.llms import MockLLM

        return MockLLM()
    from loadgen.clients.rag.remote import make_remote_llm

    return make_remote_llm(spec.model or SIMULATED, _locate(spec))


def close_model(model: object) -> None:
    """End what the blocking calls of a model use, such as connections and its thread."""
    if isinstance(model, Closable):
        model.close()


async def aclose_model(model: object) -> None:
    """End everything of a model, on the loop whose coroutines used it."""
    if isinstance(model, Closable):
        await model.aclose()


def _locate(spec: ModelSpec) -> ModelSpec:
    """The spec with the URL and the key that are sent."""
    if spec.kind == SIMULATED and not spec.url:
        raise ModelError(f"{one_line(spec.name)} has no URL. Start `loadgen serve-llm` and give its URL.")
    return replace(spec, url=spec.url or OPENAI_URL, key=spec.key or NO_KEY)


def _require(spec: ModelSpec, faults: list[str]) -> None:
    if faults:
        raise ModelError("\n".join(f"{one_line(spec.name)}: {fault}" for fault in faults))


def _check_dim(spec: ModelSpec) -> list[str]:
    text = spec.model
    if text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= LARGEST_DIM and len(text) <= len(str(LARGEST_DIM)):
        return []
    return [f"has no dimension from 1 to {LARGEST_DIM}. Write {SIMULATED}:384."]


def _check_model(spec: ModelSpec, example: str) -> list[str]:
    if spec.model and spec.model.isprintable() and spec.model == spec.model.strip():
        return []
    return [f"names no model. Write one, such as {spec.kind}:{example}."]


def _check_remote(spec: ModelSpec, setting: str) -> list[str]:
    """`setting` is `llm` or `embedding`."""
    faults = [*_check_url(spec.url), *_check_key(spec, setting)]
    if not (math.isfinite(spec.timeout) and spec.timeout > 0):
        faults.append(f"has a timeout of {spec.timeout} s. Choose one above 0.")
    return faults + _check_modules(REMOTE_MODULES[setting], RAG)


def _check_here(spec: ModelSpec) -> list[str]:
    if spec.url:
        return [f"is computed in this process, so a URL is of no use. Remove it, or choose {OPENAI}:MODEL."]
    return []


def _check_modules(modules: tuple[str, ...], extra: str) -> list[str]:
    missing = list_missing(*modules)
    return [f"needs {join(missing)}. {name_remedy(extra)}"] if missing else []


def _check_url(url: str) -> list[str]:
    if not url:
        return []
    example = "Write one such as http://127.0.0.1:8000/v1."
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return [f"has a URL that is invalid. {example}"]
    if parts.username is not None or parts.password is not None:
        return ["has a URL with a user name or password. Give a key instead."]
    if not is_whole or parts.query or parts.fragment or not url.isprintable() or " " in url:
        shown = one_line(without_secret(url).partition("?")[0], 100)  # a query may contain a key
        return [f"has a URL that is no http:// or https:// address of an API: {shown}. {example}"]
    return []


def _check_key(spec: ModelSpec, setting: str) -> list[str]:
    """The key is in no message: the client's own would contain it."""
    if spec.kind == OPENAI and not (spec.url or spec.key):
        variables = f"{KEY_VARIABLES[setting]} or {OPENAI_KEY} in the environment"
        return [f"needs a key for {OPENAI_URL}. Set {variables}, or --{setting}-url for another server."]
    if not all("!" <= character <= "~" for character in spec.key):
        return ["has a key with characters that cannot be sent, such as spaces or line breaks. Copy it again."]
    return []
