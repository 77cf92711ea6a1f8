"""Embeddings without a model: deterministic vectors of texts, near each other where texts share words."""

import base64
import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

WORD = re.compile(r"\w+")
KEPT_WORDS = 50_000
Vector = NDArray[np.float32]


def embed(text: str, dim: int) -> Vector:
    """A vector of length 1: the signed feature hashes of the words, each as often as 16 coordinates.

    Case and order of the words do not matter. A word weighs its letters times the root of how often it occurs, so that
    rare long words outweigh the articles. A text without words has a vector as well, of the text itself.
    """
    words = Counter(WORD.findall(text.lower())) or Counter([f" {text}"])
    places = np.concatenate([_hash(word) for word in words])
    weights = np.repeat([len(word) * math.sqrt(often) for word, often in words.items()], 16)
    signed = np.where(places & 1, weights, -weights)
    vector = np.bincount((places >> 1) % dim, weights=signed, minlength=dim)
    length = float(np.linalg.norm(vector))
    if not length:  # in few dimensions the hashes may cancel
        vector[int(places[0] >> 1) % dim] = length = 1.0
    return (vector / length).astype(np.float32)


@lru_cache(maxsize=KEPT_WORDS)
def _hash(word: str) -> NDArray[np.uint32]:
    return np.frombuffer(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=64).digest(), dtype="<u4")


def encode(vector: Vector) -> str:
    """As OpenAI's `encoding_format=base64`: little-endian 32-bit floats."""
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def count_words(texts: Sequence[str]) -> int:
    """A token is a run of characters without white space."""
    return sum(len(text.split()) for text in texts)
