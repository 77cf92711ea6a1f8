"""Whether two models are one: the vectors that they give to the same text."""

import base64
import binascii
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

ALIKE = 0.999
"""Least cosine similarity of two vectors of one text by one model. Another batch, machine or half precision stays above
0.9999, another model or another revision of it below 0.99."""


@runtime_checkable
class HasProbe(Protocol):
    """A dataset whose vectors are made by a model that may be another one the next time, under the same name."""

    def probe(self) -> str:
        """The model's vector of a fixed text, by `encode_probe`; empty if its name decides its vectors."""


def encode_probe(vector: npt.NDArray[np.float32]) -> str:
    """A vector (dim,) of unit length as text: half precision, base64, 2.7 characters a dimension."""
    length = float(np.linalg.norm(vector)) or 1.0
    return base64.b64encode((vector / length).astype("<f2").tobytes()).decode()


def find_similarity(one: str, other: str) -> float:
    """Cosine similarity of two encoded vectors; 0 if they differ in dimension, or one is not readable."""
    try:
        vectors = [
            np.frombuffer(base64.b64decode(text, validate=True), "<f2").astype(np.float32) for text in (one, other)
        ]
    except (ValueError, binascii.Error):
        return 0.0
    if vectors[0].size != vectors[1].size:
        return 0.0
    lengths = float(np.linalg.norm(vectors[0]) * np.linalg.norm(vectors[1]))
    return float(vectors[0] @ vectors[1]) / lengths if lengths else 0.0
