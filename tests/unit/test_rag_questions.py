"""Questions with the documents that answer them, and the figures of retrieval."""

import math
from pathlib import Path

import numpy as np
import pytest
from llama_index.core.schema import Document

from loadgen.clients.rag.documents import Corpus, built_in_corpus, split_corpus
from loadgen.clients.rag.questions import (
    Question,
    QuestionsError,
    generate_questions,
    read_questions,
    recall_of,
    reciprocal_rank,
)
from loadgen.llm_server.vectors import embed


def corpus_of(**texts: str) -> Corpus:
    made = tuple(Document(id_=name, text=text) for name, text in texts.items())
    return Corpus(made, (), "")


def test_questions_depend_on_the_corpus_and_the_seed_alone() -> None:
    corpus = built_in_corpus(30, 1)
    questions = generate_questions(corpus, 50, 1)
    assert generate_questions(corpus, 50, 1) == questions
    assert generate_questions(corpus, 20, 1) == questions[:20]
    assert generate_questions(corpus, 50, 2) != questions


def test_every_document_is_asked_about_before_one_is_asked_about_again() -> None:
    corpus = built_in_corpus(30, 1)
    questions = generate_questions(corpus, 60, 1)
    names = {document.node_id for document in corpus.documents}
    for half in (questions[:30], questions[30:]):
        assert set().union(*(one.expected for one in half)) == names
    assert [len(one.expected) for one in questions] == [1] * 60
    assert len({one.text for one in questions}) >= 58


def test_a_question_has_words_of_its_document_and_finds_it() -> None:
    corpus = built_in_corpus(120, 1)
    nodes = split_corpus(corpus, 256, 32)
    stored = np.stack([embed(node.text, 384) for node in nodes])
    texts = {document.node_id: document.text.lower() for document in corpus.documents}
    recalls = []
    for question in generate_questions(corpus, 60, 1):
        (name,) = question.expected
        words = question.text.removeprefix("What is known about ").removesuffix("?").replace(":", "").split()
        assert [word for word in words if word not in texts[name]] == []
        best = np.argsort(-(stored @ embed(question.text, 384)))[:5]
        recalls.append(recall_of(question.expected, [str(nodes[at].ref_doc_id) for at in best]))
    assert np.mean(recalls) > 0.95


def test_the_subject_is_no_article_even_in_a_single_document() -> None:
    text = "The crane of the port is the one that the harbour uses. The crane is the oldest of the town."
    assert generate_questions(corpus_of(a=text), 1, 1)[0].text.startswith("What is known about crane: ")


def test_a_question_names_the_subject_and_prefers_rare_words() -> None:
    corpus = corpus_of(
        a="The pump of Zanzibar is old. Zanzibar has one pump and one old valve, which a keeper turns by hand.",
        b="The pump is old and one keeper turns it by hand.",
    )
    asked = {next(iter(one.expected)): one.text for one in generate_questions(corpus, 4, 1)}
    assert asked["a"].startswith("What is known about zanzibar: ")
    assert "valve" in asked["a"]


@pytest.mark.parametrize("text", ["!!! ???", "...", "§"])
def test_a_document_without_words_is_quoted(text: str) -> None:
    (question,) = generate_questions(corpus_of(a=text), 1, 1)
    assert question == Question(f"What is {text}?", frozenset(("a",)))


@pytest.mark.parametrize("text", ["one", "索引 保存 向量。", "a a a a"])
def test_a_short_document_has_a_question(text: str) -> None:
    (question,) = generate_questions(corpus_of(a=text), 1, 1)
    assert set(text.strip("。").split()) <= set(question.text.replace("?", " ").replace(":", " ").split())


def test_questions_are_read_with_and_without_documents(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    lines = ['\ufeff{"question": "Why?"}', "", '{"question": "Wo?", "documents": ["b.md", "a.txt"]}\r', ""]
    path.write_text("\n".join(lines))
    expected = (Question("Why?"), Question("Wo?", frozenset(("a.txt", "b.md"))))
    assert read_questions(path, None) == read_questions(path, {"a.txt", "b.md", "c.pdf"}) == expected


BAD_LINES = [
    ("nonsense", "is not JSON: nonsense. Write one object in each line"),
    ('["Why?"]', "is no object"),
    ('{"documents": []}', "has no text as 'question'"),
    ('{"question": " "}', "has no text as 'question'"),
    ('{"question": 3}', "has no text as 'question'"),
    ('{"question": "Why?", "documents": "a.txt"}', "has no list of document ids as 'documents'"),
    ('{"question": "Why?", "documents": [1]}', "has no list of document ids as 'documents'"),
    ('{"question": "Why?", "documents": [""]}', "has no list of document ids as 'documents'"),
    ('{"question": "Why?", "document": []}', "has unknown keys: 'document'. Use 'question' and 'documents'."),
    (
        '{"question": "Why?", "documents": ["z.txt"]}',
        "expects documents that are not in the corpus: 'z.txt'. Use paths",
    ),
    ('{"question": "\x1b"}', 'is not JSON: {"question": "\\x1b"}'),
    ("[" * 100_000, "is not JSON"),
]


def test_all_bad_lines_are_reported_with_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text("\n".join(['{"question": "Why?"}', "", *(line for line, _ in BAD_LINES)]))
    with pytest.raises(QuestionsError) as caught:
        read_questions(path, {"a.txt"})
    assert [
        fault.partition(" is ")[0].partition(" has ")[0].partition(" expects ")[0] for fault in caught.value.faults
    ] == [f"line {number}" for number in range(3, 3 + len(BAD_LINES))]
    for fault, (_, said) in zip(caught.value.faults, BAD_LINES, strict=True):
        assert said in fault
    message = str(caught.value)
    assert message.startswith(f"{path}: these questions cannot be asked.\n  line 3 is not JSON")
    assert message.count("\n") == len(BAD_LINES)


def test_a_long_list_of_faults_is_cut_in_the_message_alone(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text("x\n" * 30)
    with pytest.raises(QuestionsError) as caught:
        read_questions(path, None)
    assert len(caught.value.faults) == 30
    assert str(caught.value).splitlines()[-1] == "  ... and 10 more"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "contains no question. Write one object"),
        (b"\n \n", "contains no question"),
        (b"\xff\xfe", "is not UTF-8. Save it as UTF-8."),
        (None, r"cannot be read (No such file or directory)"),
    ],
)
def test_a_file_that_is_none_of_questions_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "questions.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(QuestionsError) as caught:
        read_questions(path, None)
    assert said in str(caught.value)
    with pytest.raises(QuestionsError, match="Is a directory"):
        read_questions(tmp_path, None)


@pytest.mark.parametrize(
    ("expected", "result", "recall", "rank"),
    [
        ({"a"}, ["a", "b"], 1, 1),
        ({"a"}, ["b", "b", "a", "a"], 1, 1 / 3),
        ({"a", "b"}, ["c", "b"], 0.5, 0.5),
        ({"a", "b"}, ["b", "a"], 1, 1),
        ({"a"}, ["b"], 0, 0),
        ({"a"}, [], 0, 0),
    ],
)
def test_recall_and_reciprocal_rank(expected: set[str], result: list[str], recall: float, rank: float) -> None:
    assert recall_of(expected, result) == pytest.approx(recall)
    assert reciprocal_rank(expected, result) == pytest.approx(rank)


def test_without_expected_documents_neither_is_a_number() -> None:
    assert math.isnan(recall_of(frozenset(), ["a"]))
    assert math.isnan(reciprocal_rank(frozenset(), ["a"]))
