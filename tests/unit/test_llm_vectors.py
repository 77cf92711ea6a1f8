"""Vectors of the simulated embedding model, and the requests that ask for them."""

import base64

import numpy as np
import pytest

from loadgen.llm_server.requests import ApiError, ChatRequest, EmbeddingRequest, read_request
from loadgen.llm_server.vectors import count_words, embed, encode

TEXT = "Milvus keeps its segments in object storage and its metadata in etcd."


@pytest.mark.parametrize("dim", [1, 2, 8, 384, 1536])
def test_a_vector_has_length_1_and_depends_on_the_text_alone(dim: int) -> None:
    for text in (TEXT, "a", "?!", " ", "\ud800", "word " * 500):
        vector = embed(text, dim)
        assert (vector.shape, str(vector.dtype)) == ((dim,), "float32")
        assert float(np.linalg.norm(vector)) == pytest.approx(1, abs=1e-5)
        assert embed(text, dim).tolist() == vector.tolist()


def test_texts_that_share_words_are_near_and_others_are_far() -> None:
    stored = embed(TEXT, 384)
    same_words = embed("metadata in etcd; OBJECT storage: in milvus its segments its keeps and", 384)
    asks = embed("Where does Milvus keep its metadata and segments?", 384)
    other = embed("Locust spawns users which wait between tasks.", 384)
    assert float(stored @ same_words) == pytest.approx(1, abs=1e-5)
    assert float(stored @ asks) > 0.4
    assert abs(float(stored @ other)) < 0.15


def test_a_question_finds_its_text_among_a_thousand() -> None:
    random = np.random.default_rng(3)
    words = [f"{chr(97 + number % 26)}{number}term" for number in range(3_000)]
    texts = [" ".join(random.choice(words, 120)) for _ in range(1_000)]
    stored = np.stack([embed(text, 384) for text in texts])
    asked = random.choice(1_000, 50, replace=False)
    result = [int(np.argmax(stored @ embed(" ".join(texts[at].split()[10:18]), 384))) for at in asked]
    assert sum(int(one == at) for one, at in zip(result, asked, strict=True)) >= 45


def test_base64_contains_the_same_floats() -> None:
    vector = embed(TEXT, 384)
    assert np.frombuffer(base64.b64decode(encode(vector)), dtype="<f4").tolist() == vector.tolist()


def test_a_token_is_what_stands_between_white_space() -> None:
    assert count_words([TEXT, "two  words\n", ""]) == 14


@pytest.mark.parametrize(
    ("fields", "dim"),
    [
        ('"model": "simulated:16"', 16),
        ('"model": "simulated:16", "dimensions": 8', 8),
        ('"model": "anything"', 384),
        ('"model": "llama3:8b"', 384),
    ],
)
def test_the_dimension_comes_from_the_request_the_model_or_the_server(fields: str, dim: int) -> None:
    request = read_request(EmbeddingRequest, f'{{"input": "x", {fields}}}'.encode())
    assert request.find_dim(384) == dim


@pytest.mark.parametrize(
    ("given", "texts"),
    [('"one two"', ["one two"]), ('["a", "b"]', ["a", "b"]), ("[1, 2]", ["1 2"]), ("[[1, 2], [3]]", ["1 2", "3"])],
)
def test_token_numbers_stand_for_words(given: str, texts: list[str]) -> None:
    assert read_request(EmbeddingRequest, f'{{"model": "m", "input": {given}}}'.encode()).texts == texts


@pytest.mark.parametrize(
    ("body", "param", "said"),
    [
        ('{"model": "m"}', "input", "Field required"),
        ('{"input": "x"}', "model", "Field required"),
        ('{"model": "m", "input": []}', None, "at least 1"),
        ('{"model": "m", "input": ""}', None, "at least 1"),
        ('{"model": "m", "input": ["a", ""]}', None, "input contains an empty text"),
        ('{"model": "m", "input": [[]]}', None, "input contains an empty text"),
        ('{"model": "m", "input": "x", "dimensions": 0}', "dimensions", "greater than or equal to 1"),
        ('{"model": "m", "input": "x", "dimensions": 1.5}', "dimensions", "valid integer"),
        ('{"model": "m", "input": "x", "encoding_format": "hex"}', "encoding_format", "float|base64"),
        ('{"model": "simulated:many", "input": "x"}', None, "model 'simulated:many' has no dimension"),
        ('{"model": "simulated:999999999", "input": "x"}', None, "has no dimension"),
        ('{"model": "m", "input": ["a"' + ', "a"' * 2048 + "]}", None, "input has 2,049 texts; at most 2,048"),
        ("no json", None, "Invalid JSON"),
        ("[]", None, "should be an object"),
        ("", None, "Invalid JSON"),
    ],
)
def test_an_embedding_request_that_openai_would_refuse_is_refused(body: str, param: str | None, said: str) -> None:
    with pytest.raises(ApiError) as caught:
        read_request(EmbeddingRequest, body.encode())
    error = caught.value.body["error"]
    assert (caught.value.status, caught.value.outcome, error["type"]) == (400, "invalid", "invalid_request_error")
    assert said in str(error["message"])
    assert param is None or error["param"] == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ("", "messages"),
        ('"messages": []', "messages"),
        ('"messages": "hello"', "messages"),
        ('"messages": [{"role": "user", "content": 3}]', "messages.0.content.str"),
        ('"messages": [{"content": "x"}]', "messages.0.role"),
        ('"messages": [{"role": "user", "content": "x"}], "stream": "yes"', "stream"),
        ('"messages": [{"role": "user", "content": "x"}], "max_tokens": 0', "max_tokens"),
        ('"messages": [{"role": "user", "content": "x"}], "n": 2', "n"),
        ('"messages": [{"role": "user", "content": "x"}], "stream_options": 1', "stream_options"),
    ],
)
def test_a_chat_that_openai_would_refuse_is_refused_by_the_name_of_the_field(fields: str, param: str) -> None:
    with pytest.raises(ApiError) as caught:
        read_request(ChatRequest, f'{{"model": "m"{", " if fields else ""}{fields}}}'.encode())
    assert (caught.value.status, caught.value.body["error"]["param"]) == (400, param)


def test_a_chat_counts_the_words_of_its_texts_and_ignores_what_it_does_not_know() -> None:
    parts = '[{"type": "text", "text": "three more words"}, {"type": "image_url", "image_url": {"url": "x y"}}]'
    messages = (
        f'[{{"role": "system", "content": "be brief"}}, {{"role": "user", "content": {parts}}}, {{"role": "tool"}}]'
    )
    body = f'{{"model": "m", "messages": {messages}, "temperature": 0.1, "max_tokens": 9, "max_completion_tokens": 4}}'
    request = read_request(ChatRequest, body.encode())
    assert (request.prompt_tokens, request.most_tokens, request.wants_usage) == (5, 4, False)
