"""Whether what a model server sends is an answer of OpenAI's API, and a whole one. LlamaIndex accepts less."""

from collections.abc import Iterator
from contextlib import contextmanager

from llama_index.core.llms import ChatResponse, ChatResponseAsyncGen, ChatResponseGen

from loadgen.clients.rag.tokens import note_usage

NO_ANSWER = "the server's answer is not of OpenAI's form"
EMPTY = "the stream contains no part of an answer"
CUT = "the stream ended without a finish_reason"


class BrokenAnswerError(Exception):
    """An answer with a status of 200 that is none, such as a page of HTML, or one that stops in the middle."""


@contextmanager
def reading_answer() -> Iterator[None]:
    """Raise BrokenAnswerError instead of what LlamaIndex and openai raise when they take an answer apart."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise BrokenAnswerError(f"{NO_ANSWER} ({type(error).__name__}: {error})") from error


def read_parts(parts: ChatResponseGen) -> ChatResponseGen:
    """The parts of a stream; its usage is noted at the end. Raises BrokenAnswerError."""
    last: ChatResponse | None = None
    has_ended = False
    with reading_answer():
        for last in parts:
            has_ended = has_ended or _is_end(last)
            yield last
    _finish(last, has_ended=has_ended)


async def aread_parts(parts: ChatResponseAsyncGen) -> ChatResponseAsyncGen:
    """The same of a coroutine."""
    last: ChatResponse | None = None
    has_ended = False
    with reading_answer():
        async for last in parts:
            has_ended = has_ended or _is_end(last)
            yield last
    _finish(last, has_ended=has_ended)


def _is_end(part: ChatResponse) -> bool:
    """Whether a part has the reason why the answer ends; only that of the usage may follow."""
    return any(getattr(one, "finish_reason", None) for one in getattr(part.raw, "choices", None) or ())


def _finish(last: ChatResponse | None, *, has_ended: bool) -> None:
    if last is None:
        raise BrokenAnswerError(EMPTY)
    if not has_ended:
        raise BrokenAnswerError(CUT)
    note_usage(last.raw)
