"""Stages of a question: when LlamaIndex embeds and retrieves, from its own instrumentation, and when tokens arrive."""

from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from functools import wraps
from itertools import pairwise
from time import perf_counter
from typing import Any, TypeVar

from llama_index.core.instrumentation.span import BaseSpan
from llama_index.core.instrumentation.span_handlers import BaseSpanHandler
from llama_index_instrumentation import get_dispatcher

from loadgen.clients.rag.steps import Steps

T = TypeVar("T")

EMBED, RETRIEVE, FIRST_TOKEN, GENERATE = "embed", "retrieve", "first_token", "generate"
SEARCH = "search"
"""Part of `retrieve`: a search of pymilvus, which is Milvus, its client and the way between them."""
INTER_TOKEN = "inter_token"  # noqa: S105 - of a text
"""Between two parts of a streamed answer, which are tokens for nearly all servers."""
OF_RETRIEVE = (EMBED, RETRIEVE)
OF_ASK = (*OF_RETRIEVE, FIRST_TOKEN, GENERATE)
WITHIN_RETRIEVE = (SEARCH,)
WITHIN_ASK = (SEARCH, INTER_TOKEN)
"""Stages that are parts of others, with all their times."""
METHODS = {
    "get_query_embedding": EMBED,
    "aget_query_embedding": EMBED,
    "retrieve": RETRIEVE,
    "aretrieve": RETRIEVE,
}
"""Instrumented methods of LlamaIndex's base classes, and the stage that each one is."""
UUID = 37
"""Characters after the name in the id of a span: a dash and a UUID."""


class QuestionTimer:
    """The times of one question. Used by the thread or task that asks it, and by those that it starts and awaits."""

    __slots__ = ("_embed", "_open", "_retrieve", "_retrieved", "_searches", "_steps", "_then", "_tokens", "usage")

    def __init__(self, then: str = "", steps: Steps | None = None) -> None:
        self._then = then
        """The stage that follows `retrieve`; empty: none."""
        self._steps = steps
        """Of a coroutine."""
        self._open: dict[str, float] = {}
        """When unfinished spans began, by their ids."""
        self._embed: float | None = None
        self._retrieve: float | None = None
        self._retrieved = 0.0
        """When the chunks were there (perf_counter)."""
        self._tokens: list[float] = []
        """When each part of the answer arrived."""
        self.usage: tuple[int, int] | None = None
        """Tokens in and out as the model reports them, of all its answers to this question; None: it does not."""
        self._searches: list[float] = []

    def drive(self, coroutine: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """Awaits a coroutine of this question and measures how long it blocks the loop."""
        return coroutine if self._steps is None else self._steps.drive(coroutine)

    def enter(self, span: str, stage: str) -> None:
        """A stage begins."""
        if self._steps is not None:
            self._steps.enter(stage)
        self._open[span] = perf_counter()

    def leave(self, span: str, stage: str) -> None:
        """It has ended."""
        started = self._open.pop(span, None)
        if started is None:
            return
        now = perf_counter()
        if stage == EMBED:
            self._embed = (self._embed or 0.0) + now - started
        else:
            self._retrieve, self._retrieved = (self._retrieve or 0.0) + now - started, now
        if self._steps is not None:
            self._steps.enter(RETRIEVE if stage == EMBED else self._then)

    def drop(self, span: str) -> None:
        """It has raised: its time is that of no stage."""
        self._open.pop(span, None)

    def note_token(self) -> None:
        """A part of the answer has arrived."""
        self._tokens.append(perf_counter())
        if self._steps is not None:
            self._steps.enter(GENERATE)

    def note_search(self, seconds: float) -> None:
        """A search has been answered."""
        self._searches.append(seconds)

    def note_usage(self, tokens_in: int, tokens_out: int) -> None:
        """The model has reported the tokens of an answer."""
        before = self.usage or (0, 0)
        self.usage = (before[0] + tokens_in, before[1] + tokens_out)

    @property
    def parts(self) -> int:
        """Parts of the answer so far; of one that is not streamed 1."""
        return len(self._tokens)

    def finish(self, *, answered: bool) -> dict[str, float | tuple[float, ...]]:
        """Seconds of each stage, one after the other; an answer that was not streamed arrives in one piece.

        Without an answer, those that ended. An answer without a token has its first at its end.
        """
        if answered and not self._tokens:
            self.note_token()
        stages: dict[str, float | tuple[float, ...]] = {}
        if self._embed is not None:
            stages[EMBED] = self._embed
        if self._retrieve is not None:
            stages[RETRIEVE] = max(0.0, self._retrieve - (self._embed or 0.0))
        if self._searches:
            stages[SEARCH] = tuple(self._searches)
        tokens = self._tokens
        if tokens and self._retrieve is not None:
            stages[FIRST_TOKEN] = tokens[0] - self._retrieved
        if len(tokens) > 1:
            stages[INTER_TOKEN] = tuple(later - sooner for sooner, later in pairwise(tokens))
        if answered:
            stages[GENERATE] = perf_counter() - tokens[0]
        return stages


TIMER: ContextVar[QuestionTimer | None] = ContextVar("loadgen_rag_timer", default=None)
"""That of the question that the current code answers; code outside of a measured call has none."""


class StageSpans(BaseSpanHandler[BaseSpan]):
    """Tells the timer of a question about its spans; keeps none of them. Shared by all threads and loops."""

    def span_enter(self, id_: str, *_: Any, **__: Any) -> None:
        """A method was called."""
        timer = TIMER.get()
        if timer is not None and (stage := _find_stage(id_)):
            timer.enter(id_, stage)

    def span_exit(self, id_: str, *_: Any, **__: Any) -> None:
        """It has returned."""
        timer = TIMER.get()
        if timer is not None and (stage := _find_stage(id_)):
            timer.leave(id_, stage)

    def span_drop(self, id_: str, *_: Any, **__: Any) -> None:
        """It has raised."""
        timer = TIMER.get()
        if timer is not None:
            timer.drop(id_)

    def new_span(self, *_: Any, **__: Any) -> None:
        """Spans are not kept."""

    def prepare_to_exit_span(self, *_: Any, **__: Any) -> None:
        """Spans are not kept."""

    def prepare_to_drop_span(self, *_: Any, **__: Any) -> None:
        """Spans are not kept."""


def _find_stage(span: str) -> str | None:
    """The id of a span is the class, a dot, the method, a dash and a UUID."""
    return METHODS.get(span[span.find(".") + 1 : -UUID])


def watch_spans() -> None:
    """Have LlamaIndex report its spans in this process. Idempotent."""
    root = get_dispatcher()  # without a name it is the one to which all others report
    if not any(isinstance(handler, StageSpans) for handler in root.span_handlers):
        root.add_span_handler(StageSpans())


def unwatch_spans() -> None:
    """Have LlamaIndex report them no longer. Idempotent."""
    root = get_dispatcher()
    root.span_handlers = [one for one in root.span_handlers if not isinstance(one, StageSpans)]


def time_search(search: Callable[..., Any]) -> Callable[..., Any]:
    """The `search` of a blocking client, which tells the timer of a question how long it took."""

    @wraps(search)
    def timed(*given: Any, **named: Any) -> Any:
        timer = TIMER.get()
        started = perf_counter()
        result = search(*given, **named)
        if timer is not None:
            timer.note_search(perf_counter() - started)
        return result

    return timed


def time_async_search(search: Callable[..., Any]) -> Callable[..., Any]:
    """The same of an async client."""

    @wraps(search)
    async def timed(*given: Any, **named: Any) -> Any:
        timer = TIMER.get()
        started = perf_counter()
        result = await search(*given, **named)
        if timer is not None:
            timer.note_search(perf_counter() - started)
        return result

    return timed
