"""Tokens of answers and chunks: as the model reports them, or counted with the splitter's tokenizer."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from loadgen.clients.rag.documents import token_counter
from loadgen.clients.rag.stages import TIMER

KEPT_AT_MOST = 100_000
"""Texts whose number of tokens is kept."""


class TokenCounts:
    """Counts the tokens of texts, of a known text only once. Shared by threads; a race costs a second count."""

    def __init__(self, count: Callable[[str], int] | None = None) -> None:
        """`count` defaults to the splitter's tokenizer."""
        self._count = count
        self._known: dict[tuple[str, int, int], int] = {}

    def count(self, text: str) -> int:
        """The tokens of a text."""
        if self._count is None:
            self._count = token_counter()
        return self._count(text)

    def count_known(self, name: str, texts: Sequence[str]) -> int:
        """The tokens of texts that are always the same for a name, a number of texts and a number of characters."""
        key = (name, len(texts), sum(map(len, texts)))
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= KEPT_AT_MOST:
                self._known.clear()
            known = self._known[key] = sum(map(self.count, texts))
        return known

    def count_nodes(self, nodes: Iterable[Any]) -> int:
        """The tokens of the retrieved chunks, by their ids; `nodes` are LlamaIndex's, with their scores."""
        return sum(self.count_known(one.node.node_id, (one.node.get_content(),)) for one in nodes)


def note_usage(answer: Any) -> None:
    """Keep what a model reports with an answer, in OpenAI's form, for the question that the current code asks."""
    timer, usage = TIMER.get(), getattr(answer, "usage", None)
    if timer is None or usage is None:
        return
    numbers = (getattr(usage, "prompt_tokens", None), getattr(usage, "completion_tokens", None))
    tokens_in, tokens_out = (number if isinstance(number, int) and number >= 0 else None for number in numbers)
    if tokens_in is not None and tokens_out is not None:
        timer.note_usage(tokens_in, tokens_out)
