"""Whether a model answers, asked once before the load, and why not."""

from typing import TYPE_CHECKING

from loadgen.clients.rag.models import SIMULATED, ModelError, ModelSpec
from loadgen.milvus.proxies import is_at_loopback
from loadgen.text.masking import mask_secrets
from loadgen.text.plain_text import one_line

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.llms import LLM, ChatMessage

PROBE = "Answer with one word: yes."
ADDRESS = "Check the URL; most end in /v1."
LONGEST = 200


def probe_embedding(spec: ModelSpec, embedding: "BaseEmbedding") -> int:
    """The dimension of its vectors, with one text embedded. Raises ModelError that explains a failure."""
    try:
        return len(embedding.get_query_embedding(PROBE))
    except Exception as error:
        raise ModelError(explain_failure(spec, error)) from error


async def aprobe_embedding(spec: ModelSpec, embedding: "BaseEmbedding") -> int:
    """The same as a coroutine, which also connects the client of this loop."""
    try:
        return len(await embedding.aget_query_embedding(PROBE))
    except Exception as error:
        raise ModelError(explain_failure(spec, error)) from error


def probe_llm(spec: ModelSpec, llm: "LLM") -> None:
    """Have it answer once; the first answer of a process is slow. Raises ModelError that explains a failure."""
    try:
        llm.chat(_messages())
    except Exception as error:
        raise ModelError(explain_failure(spec, error)) from error


async def aprobe_llm(spec: ModelSpec, llm: "LLM") -> None:
    """The same as a coroutine, which also connects the client of this loop."""
    try:
        await llm.achat(_messages())
    except Exception as error:
        raise ModelError(explain_failure(spec, error)) from error


def explain_failure(spec: ModelSpec, error: Exception) -> str:
    """What went wrong and what to do, in one line without the key."""
    problem, hint = find_problem(spec, error)
    said = f"{spec.name}{f' at {spec.url}' if spec.url else ''} {problem}. {hint}"
    return one_line(said.replace(spec.key, "***") if spec.key else said)


def find_problem(spec: ModelSpec, error: Exception) -> tuple[str, str]:
    """What the model does, as a predicate, and a remedy."""
    return _classify(spec, error) if spec.is_remote else (f"fails ({_shorten(error)})", "Check the model.")


def _classify(spec: ModelSpec, error: Exception) -> tuple[str, str]:
    import openai

    known = {  # the first class that fits
        openai.APITimeoutError: (
            f"did not answer within {spec.timeout:g} s",
            "Allow it more time (--deadline), or look at its log.",
        ),
        openai.APIConnectionError: ("cannot be reached", _name_remedy(spec)),
        openai.AuthenticationError: ("refuses the key", "Check the key, and what it permits."),
        openai.PermissionDeniedError: ("refuses the key", "Check the key, and what it permits."),
        openai.NotFoundError: ("knows no such model or path", f"Check the model's name. {ADDRESS}"),
        openai.RateLimitError: ("limits the rate", "Wait, or raise the limit."),
        openai.APIStatusError: ("refuses the request", "Look at its log."),
    }
    for kind, (problem, hint) in known.items():
        if isinstance(error, kind):
            detail = "" if kind is openai.APITimeoutError else f" ({_shorten(error.__cause__ or error)})"
            return problem + detail, hint
    return f"does not answer as OpenAI's API does ({type(error).__name__}: {_shorten(error)})", ADDRESS


def _name_remedy(spec: ModelSpec) -> str:
    if spec.name.partition(":")[0] == SIMULATED and is_at_loopback(
        spec.url
    ):  # that of the run, on the master's machine
        return "For workers on other machines start loadgen serve-llm --bind 0.0.0.0, and give --simulated-url."
    return "Start it, or correct the URL."


def _shorten(error: BaseException) -> str:
    text = mask_secrets(str(error))  # before it is cut: half of a key would not be recognised
    return one_line(text.strip().rstrip(".") or type(error).__name__, LONGEST)


def _messages() -> "list[ChatMessage]":
    from llama_index.core.llms import ChatMessage

    return [ChatMessage(content=PROBE)]
