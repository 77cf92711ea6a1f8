"""Texts of the built-in corpus: English-like sentences about a named thing in the words of one topic."""

import re
from random import Random

from loadgen.clients.rag.topics import TOPICS, Topic

SENTENCES = (
    "The {adjective} {noun} of {name} {verb} the {other}.",
    "In {name}, each {noun} {verb} a {adjective} {other}.",
    "A {noun} that {verb} the {other} is rarely {adjective}.",
    "According to the {name} records, the {other} was {adjective} before the {noun} was replaced.",
    "When the {other} fails, the {noun} {verb} it within {number} days.",
    "Of {number} {noun} samples from {name}, most were {adjective} and one had a second {other}.",
    "The {noun} {verb} every {adjective} {other}, and {name} keeps a note of it.",
    "Nobody in {name} expected that a {adjective} {noun} also {verb} its {other}.",
)
SYLLABLES = ("bar", "den", "fos", "gal", "hel", "jor", "kel", "lun", "mir", "nor", "ost", "pra", "quin", "rav", "sol",
             "tam", "ulm", "ven", "wes", "yor", "zan")  # fmt: skip
BEFORE_VOWEL = re.compile(r"\b([Aa])(?= [aeiou])")
PARAGRAPHS = (2, 6)
IN_PARAGRAPH = (3, 6)
"""Paragraphs of a document, and sentences of a paragraph: at least and at most."""


def write_document(number: int, seed: int) -> tuple[str, str]:
    """The id and the text of document `number`: both depend on it and on the seed alone.

    Consecutive documents have different topics, and each has the name of its own subject in every paragraph.
    """
    random = Random(f"{seed}/document/{number}")
    topic = TOPICS[number % len(TOPICS)]
    name = "".join(random.choice(SYLLABLES) for _ in range(3)).capitalize()
    paragraphs = [_write_paragraph(topic, name, random) for _ in range(random.randint(*PARAGRAPHS))]
    title = f"{name}, notes on {topic.name}, number {number}"
    return f"{topic.name}/{number:05d}.txt", "\n\n".join([title, *paragraphs])


def _write_paragraph(topic: Topic, name: str, random: Random) -> str:
    sentences = [_write_sentence(topic, name, random) for _ in range(random.randint(*IN_PARAGRAPH))]
    return " ".join([f"{name} has its own {random.choice(topic.nouns)}.", *sentences])


def _write_sentence(topic: Topic, name: str, random: Random) -> str:
    noun, other = random.sample(topic.nouns, 2)
    sentence = random.choice(SENTENCES).format(
        name=name,
        noun=noun,
        other=other,
        verb=random.choice(topic.verbs),
        adjective=random.choice(topic.adjectives),
        number=random.randint(2, 99),
    )
    return BEFORE_VOWEL.sub(r"\1n", sentence)
