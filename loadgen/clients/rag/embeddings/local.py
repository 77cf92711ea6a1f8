"""A static model: the mean of its tokens' vectors. Needs neither torch nor the network."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WEIGHTS = "weights/l2_supercat_256.safetensors"
TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
TENSOR = "embedding.weight"
UNKNOWN = 0
"""Token used for a text without tokens, whose vector would have no direction."""


class LocalEmbedder:
    """Implements `Embedder`: the vectors have length 1, and questions are embedded like chunks."""

    def __init__(self, weights: npt.NDArray[np.float32], tokenizer: "Tokenizer") -> None:
        self._weights = weights
        self._tokenizer = tokenizer
        self._last = len(weights) - 1

    def embed_queries(self, texts: list[str], /) -> list[list[float]]:
        """A vector for each question."""
        return self.embed_texts(texts)

    def embed_texts(self, texts: list[str], /) -> list[list[float]]:
        """A vector for each text."""
        # One text after the other: a batch would start a thread on each core, beside those that send the load.
        return [self._embed(self._tokenizer.encode(text, add_special_tokens=False).ids) for text in texts]

    def _embed(self, tokens: list[int]) -> list[float]:
        vector = self._weights[np.minimum(tokens or [UNKNOWN], self._last)].mean(axis=0)
        result: list[float] = (vector / np.linalg.norm(vector)).tolist()
        return result


def load_local() -> LocalEmbedder:
    """The model in the files of the package wordllama, whose own loader would download them."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    spec = find_spec("wordllama")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("wordllama")
    folder = Path(spec.origin).parent
    weights = load_file(folder / WEIGHTS)[TENSOR].astype(np.float32)
    return LocalEmbedder(weights, Tokenizer.from_file(str(folder / TOKENIZER)))
