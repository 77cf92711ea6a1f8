"""Embeds the chunks of a collection before the load."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from loadgen.clients.outcomes import outcome_of
from loadgen.clients.rag.engine import embedding_spec
from loadgen.clients.rag.models import LOOP, SERVER, ModelError, close_model, make_embedding
from loadgen.clients.rag.probing import find_problem
from loadgen.datasets.dataset import Vectors
from loadgen.measure.sample import Outcome
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings
from loadgen.text.listing import join
from loadgen.text.plain_text import one_line

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding

BATCH = 256
"""Texts between two progress lines."""
TRIES = 5
FIRST_PAUSE = 0.5
"""Seconds; each pause is twice the previous one."""
PASSING = (Outcome.THROTTLED, Outcome.UNAVAILABLE, Outcome.TIMEOUT)
_DIMS: dict[tuple[str, str], int] = {}
"""Of the models that were asked, by name and address."""


def measure_dim(settings: Settings) -> int:
    """The dimension of the vectors of a model that must be asked. Raises SettingsError, ModelError."""
    key = (settings.embedding, settings.embedding_url)
    if key not in _DIMS:
        _DIMS[key] = embed_texts(settings, ["dimension"], lambda _line: None).shape[1]
    return _DIMS[key]


def embed_texts(settings: Settings, texts: list[str], tell: Callable[[str], None]) -> Vectors:
    """Vectors of chunks, float32 (texts, dim). Blocks, and reports progress. Raises SettingsError, ModelError.

    An answer that may pass, such as 429, is asked for again some times: this is no measurement.
    """
    spec = embedding_spec(settings)
    model = make_embedding(spec, SERVER if spec.is_remote else LOOP)
    vectors: list[list[float]] = []
    try:
        for start in range(0, len(texts), BATCH):
            vectors += _embed(settings, model, texts[start : start + BATCH])
            if len(texts) > BATCH:
                tell(f"embedded {len(vectors):,} of {len(texts):,} chunks")
    finally:
        close_model(model)
    dims = sorted({len(one) for one in vectors})
    if len(vectors) != len(texts) or len(dims) != 1 or not dims[0]:
        shown = f" of dimension {join([str(dim) for dim in dims])}" if vectors else ""
        result = f"{len(vectors):,} vectors{shown} for {len(texts):,} texts"
        hint = "Check --embedding-url and the name of the model."
        raise SettingsError([Fault("embedding", settings.embedding, f"answers with {result}", hint)])
    return np.asarray(vectors, np.float32)


def _embed(settings: Settings, model: "BaseEmbedding", texts: list[str]) -> list[list[float]]:
    for attempt in range(TRIES):
        try:
            return model.get_text_embedding_batch(texts)
        except Exception as error:
            if attempt + 1 < TRIES and outcome_of(error) in PASSING:
                time.sleep(FIRST_PAUSE * 2.0**attempt)
                continue
            spec = embedding_spec(settings)
            problem, hint = find_problem(spec, error)
            said = f"cannot embed the documents: it {f'is at {spec.url} and ' if spec.url else ''}{problem}"
            shown = one_line(said.replace(spec.key, "***") if spec.key else said)
            raise SettingsError([Fault("embedding", settings.embedding, shown, hint)]) from error
    raise ModelError(f"{settings.embedding} was not asked. Report this.")  # unreachable: the last attempt raises
