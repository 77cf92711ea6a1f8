"""Questions with the documents that answer them: made from a corpus or read from a file; recall and reciprocal rank."""

import json
import math
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from loadgen.text.listing import join_some
from loadgen.text.plain_text import one_line

if TYPE_CHECKING:
    from loadgen.clients.rag.documents import Corpus

QUESTION, DOCUMENTS = "question", "documents"
"""Keys of a line."""
EXAMPLE = f'Write one object in each line, such as {{"{QUESTION}": "...", "{DOCUMENTS}": ["guide.md"]}}.'
WORD = re.compile(r"\w+")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
WORDS = 8
"""Words of a sentence that a question contains, at most."""
LETTERS = 4
"""Least length of a subject, so that it is no article."""
FRAGMENT = 80
"""Characters of a document without words that a question quotes."""
SHOWN = 20
"""Faults in a message, at most."""
LONGEST = 60


class QuestionsError(ValueError):
    """A file of questions that cannot be used. `faults` has one line for each."""

    def __init__(self, path: Path, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        more = [f"... and {len(faults) - SHOWN:,} more"] if len(faults) > SHOWN else []
        super().__init__("\n  ".join([f"{one_line(path)}: these questions cannot be asked.", *faults[:SHOWN], *more]))


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and the ids of the documents that answer it; empty if unknown."""

    text: str
    expected: frozenset[str] = frozenset()


def generate_questions(corpus: "Corpus", number: int, seed: int) -> tuple[Question, ...]:
    """Questions on a corpus: the subject of a document, and words of one of its sentences that are rare in the corpus.

    That document is the expected one. Every document is asked about before one is asked about again.
    """
    texts = [(document.node_id, document.text) for document in corpus.documents]
    known = Counter(word for _, text in texts for word in set(_words(text)))
    order = list(range(len(texts)))
    Random(f"{seed}/documents").shuffle(order)
    prepared = [_prepare(texts[at][1], known, len(texts)) for at in order[:number]]
    made = []
    for place in range(number):
        turn = place % len(order)
        name, text = texts[order[turn]]
        asked, random = prepared[turn], Random(f"{seed}/question/{place}")
        words = f"What is {text.strip()[:FRAGMENT]}?" if asked is None else _ask(asked, known, random)
        made.append(Question(words, frozenset((name,))))
    return tuple(made)


def read_questions(path: Path, known: Collection[str] | None) -> tuple[Question, ...]:
    """Questions from JSON Lines; blank lines are skipped. Raises QuestionsError with all faults.

    Expected documents must be among the known ones, if these are given.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        problem = f"cannot be read ({error.strerror or error}). Name a readable file of JSON Lines."
        raise QuestionsError(path, [problem]) from error
    except UnicodeError as error:
        raise QuestionsError(path, ["is not UTF-8. Save it as UTF-8."]) from error
    questions: list[Question] = []
    faults: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                questions.append(_read_line(line, known))
            except ValueError as error:
                faults.append(f"line {number} {error}")
    if not questions and not faults:
        faults.append(f"contains no question. {EXAMPLE}")
    if faults:
        raise QuestionsError(path, faults)
    return tuple(questions)


def fingerprint_of(questions: Sequence[Question]) -> str:
    """16 hex digits of all texts and expected documents, in their order."""
    digest = sha256()
    for one in questions:
        digest.update(repr((one.text, sorted(one.expected))).encode(errors="surrogatepass"))
    return digest.hexdigest()[:16]


def recall_of(expected: Collection[str], result: Sequence[str]) -> float:
    """Share of the expected documents among the retrieved ones, which may repeat. NaN if none is known to be right."""
    return len(set(expected) & set(result)) / len(set(expected)) if expected else math.nan


def reciprocal_rank(expected: Collection[str], result: Sequence[str]) -> float:
    """1 / the rank of the first expected document, 0 if there is none (Voorhees 1999, The TREC-8 QA Track Report).

    `result` has the documents of the retrieved chunks, best first. NaN if no document is known to be right.
    """
    if not expected:
        return math.nan
    return next((1 / rank for rank, name in enumerate(result, 1) if name in expected), 0.0)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a document can be asked about."""

    subject: str
    sentences: list[list[str]]
    """The words of those that have enough."""


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def _prepare(text: str, known: Counter[str], documents: int) -> _Asked | None:
    """The subject is the word of highest tf-idf (Sparck Jones 1972); None for a text without words."""
    sentences = [result for part in SENTENCE_END.split(text) if (result := _words(part))]
    if not sentences:
        return None
    often = Counter(word for words in sentences for word in words)
    telling = [word for word in often if len(word) >= LETTERS] or list(often)
    subject = max(telling, key=lambda word: (often[word] * math.log((1 + documents) / known[word]), word))
    longest = max(len(set(words)) for words in sentences)
    return _Asked(subject, [words for words in sentences if len(set(words)) >= min(WORDS, longest)])


def _ask(asked: _Asked, known: Counter[str], random: Random) -> str:
    words = random.choice(asked.sentences)
    place = {word: at for at, word in reversed([*enumerate(words)])}
    rarest = sorted(place, key=lambda word: (known[word], place[word]))[:WORDS]
    return f"What is known about {asked.subject}: {' '.join(sorted(rarest, key=place.__getitem__))}?"


def _read_line(line: str, known: Collection[str] | None) -> Question:
    """Raises ValueError with what is wrong with the line."""
    try:
        given: Any = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError(f"is not JSON: {one_line(line.strip(), LONGEST)}. {EXAMPLE}") from None
    if not isinstance(given, dict):
        raise ValueError(f"is no object. {EXAMPLE}")  # noqa: TRY004 - of the file, not of an argument
    if unknown := sorted(given.keys() - {QUESTION, DOCUMENTS}):
        shown = join_some([repr(one_line(key, LONGEST)) for key in unknown])
        raise ValueError(f"has unknown keys: {shown}. Use {QUESTION!r} and {DOCUMENTS!r}.")
    text, names = given.get(QUESTION), given.get(DOCUMENTS, [])
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"has no text as {QUESTION!r}. {EXAMPLE}")
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"has no list of document ids as {DOCUMENTS!r}. {EXAMPLE}")
    if known is not None and (strange := [name for name in names if name not in known]):
        shown = join_some([repr(one_line(name, LONGEST)) for name in strange])
        raise ValueError(f"expects documents that are not in the corpus: {shown}. Use paths relative to its folder.")
    return Question(text, frozenset(names))
