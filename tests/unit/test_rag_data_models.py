"""What the embedding model of a server means to the data: its vector of a text is part of their identity."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadgen.clients.rag import data, document_dataset, embedding_rows
from loadgen.datasets import encode_probe
from loadgen.milvus.store.manifest import find_differences, make_manifest, name_data
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from tests.unit.test_rag_data import SUBJECTS, open_documents, resolve


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    documents = tmp_path / "documents"
    documents.mkdir()
    for subject in SUBJECTS:
        (documents / f"{subject}.txt").write_text(f"Old {subject} differ from new {subject} in colour. " * 8)
    return documents


class Model:
    """A fake embedding model; `turn` replaces it by another one."""

    def __init__(self) -> None:
        self.turn = 0.0
        self.asked: list[list[str]] = []

    def embed(self, _settings: Settings, texts: list[str], _tell: object) -> Any:
        self.asked.append(texts)
        return np.array([[math.cos(self.turn), math.sin(self.turn), 0.0]] * len(texts), np.float32)


def test_the_model_of_a_server_is_known_by_its_vector_of_a_text(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model()
    monkeypatch.setattr(document_dataset, "embed_texts", model.embed)
    monkeypatch.setattr(data, "measure_dim", lambda _settings: 3)
    one, other = (resolve(folder, embedding="openai:m", embedding_url=f"http://{host}/v1") for host in "ab")
    kept = json.loads(json.dumps(make_manifest(one, open_documents(one))))
    assert model.asked == [[document_dataset.PROBE]]
    model.turn = 0.04
    assert find_differences(kept, make_manifest(other, open_documents(other)), other) == [], "0.9992: rounding"
    model.turn = 0.06
    (fault,) = find_differences(kept, make_manifest(other, open_documents(other)), other)
    assert str(fault) == (
        "--embedding-url http://b/v1: has another openai:m than the one that filled collection 'loadgen': the cosine "
        "similarity of their vectors of one text is 0.998, not at least 0.999. Use the model of then, another "
        "--collection, or --fresh to reload it."
    )
    own = resolve(folder, embedding="openai:m", embedding_url="http://b/v1", collection="own")
    assert name_data(own, open_documents(own)) == name_data(other, open_documents(other)), "asks no server"
    before = {name: value for name, value in kept.items() if name != "probe"}
    assert find_differences(before, make_manifest(other, open_documents(other)), other) == [], "of an earlier version"
    wide = dict(kept, probe=encode_probe(np.ones(4, np.float32)))
    assert "is 0.000, not" in str(find_differences(wide, make_manifest(one, open_documents(one)), one)[0])
    named = resolve(folder)
    assert "probe" not in make_manifest(named, open_documents(named)), "its name decides its vectors"


class Answering:
    """A fake model with this answer."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def get_text_embedding_batch(self, _texts: list[str]) -> Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.parametrize(
    ("answer", "reported"),
    [
        (
            AttributeError("'str' object has no attribute 'data'"),
            (
                "cannot embed the documents: it is at http://a/v1 and does not answer as OpenAI's API does "
                "(AttributeError: 'str' object has no attribute 'data'). Check the URL; most end in /v1."
            ),
        ),
        (
            [[1.0, 2.0]],
            ("answers with 1 vectors of dimension 2 for 2 texts. Check --embedding-url and the name of the model."),
        ),
        ([], "answers with 0 vectors for 2 texts. Check --embedding-url and the name of the model."),
        (
            [[1.0], [1.0, 2.0]],
            (
                "answers with 2 vectors of dimension 1 and 2 for 2 texts. Check --embedding-url and the name of the "
                "model."
            ),
        ),
    ],
)
def test_a_model_that_gives_no_vectors_is_a_fault(
    answer: object, reported: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_rows, "make_embedding", lambda *_: Answering(answer))
    settings = Settings(client="rag", embedding="openai:m", embedding_url="http://a/v1")
    with pytest.raises(SettingsError) as caught:
        embedding_rows.embed_texts(settings, ["one", "two"], lambda _line: None)
    (fault,) = caught.value.faults
    assert str(fault) == f"--embedding openai:m: {reported}"
