"""The five questions, and what was answered."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from loadgen.settings.addresses import split_secret
from loadgen.settings.faults import Fault, SettingsError

WORKLOADS: Mapping[str, str] = {
    "search": "search, blocking and asyncio side by side",
    "mixed": "searches with some inserts and deletes among them",
    "insert": "insert new rows",
    "hybrid": "hybrid searches, by vector and by BM25",
    "rag_query": "questions to an index of documents, with a language model",
    "rag_ingest": "read, split, embed and insert documents",
}
MODES = ("sync", "async")
"""The variants of the run."""
WRITING = ("mixed", "insert", "rag_ingest")
"""Their users write."""


@dataclass(frozen=True, slots=True)
class InitQuestion:
    """One of the five."""

    name: str
    """Of the flag and of the field of `Answers`."""
    text: str
    default: str
    hint: str = ""


QUESTIONS = (
    InitQuestion("host", "Address of Milvus", "", "such as http://my-milvus:19530; empty: one is started for each run"),
    InitQuestion("collection", "Your own collection to measure", "", "empty: one is created, with generated data"),
    InitQuestion("workload", "Operations of the users", "search", ", ".join(WORKLOADS)),
    InitQuestion("concurrency", "Numbers of concurrent users", "1,8,32,64", "one or several, comma-separated"),
    InitQuestion("require", "A requirement of the run", "", 'such as "search async p99 < 50 ms"; empty: none'),
)


@dataclass(frozen=True, slots=True)
class Answers:
    """What the files are made of. Empty texts mean: the default."""

    host: str
    collection: str
    workload: str
    concurrency: str
    require: str

    @property
    def requirements(self) -> list[str]:
        """Each on its own."""
        return [one.strip() for one in self.require.split(";") if one.strip()]

    @property
    def writes(self) -> bool:
        """Whether the users write to the user's own collection."""
        return bool(self.collection) and self.workload in WRITING

    def as_settings(self) -> dict[str, object]:
        """As settings, without the host; in the order in which the files have them."""
        result: dict[str, object] = {"existing": True, "collection": self.collection} if self.collection else {}
        result |= {"allow_writes": True} if self.writes else {}
        result |= {"concurrency": self.concurrency}
        return result | ({"require": self.requirements} if self.requirements else {})

    def find_faults(self) -> Iterator[Fault]:
        """What no setting checks."""
        from loadgen.results.requirements import parse_requirement
        from loadgen.settings.conflicts import without_secret

        if self.workload not in WORKLOADS:
            yield Fault("workload", self.workload, "is unknown", f"Give one of {', '.join(WORKLOADS)}.")
        if split_secret(self.host)[1]:
            hint = "Leave it out, and set LOADGEN_TOKEN to user:password before the run."
            yield Fault("host", without_secret(self.host), "contains a password, which belongs in no file", hint)
        for text in self.requirements:
            try:
                parse_requirement(text, MODES)
            except SettingsError as error:
                yield from error.faults


def ask(given: Mapping[str, str | None], read: Callable[[str], str] | None) -> Answers:
    """Ask with `read` for what was not given; without it the defaults count. Raises EOFError if the input ends."""
    return Answers(**{one.name: _answer(one, given.get(one.name), read) for one in QUESTIONS})


def _answer(question: InitQuestion, given: str | None, read: Callable[[str], str] | None) -> str:
    if given is not None:
        return given.strip()
    if read is None:
        return question.default
    hint = f" ({question.hint})" if question.hint else ""
    default = f" [{question.default}]" if question.default else ""
    return read(f"{question.text}{hint}{default}: ").strip() or question.default
