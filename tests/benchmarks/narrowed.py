"""Searches with filters, of large rows, and with several vectors: each beside a bare loop that sends the same."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple

from loadgen.datasets import open_dataset
from loadgen.milvus.server.replay import ReplayServer
from loadgen.milvus.store import prepare
from loadgen.settings.model import Settings
from tests.benchmarks.figures import Figures
from tests.integration.plain_clients import open_client


class Case(NamedTuple):
    """What its searches are, and the settings that make them so."""

    title: str
    given: Mapping[str, Any]

    @property
    def flags(self) -> list[str]:
        """The settings as flags of locust."""
        return [text for name, value in self.given.items() for text in (f"--{name.replace('_', '-')}", str(value))]


CASES = (
    Case(
        "Filtered searches",
        {"metadata": "tenant:int:50; year:int:2000-2026", "filter": "tenant == {tenant} and year >= 2000"},
    ),
    Case(
        "Searches of rows with 1,200 bytes of text and metadata",
        {"metadata": "tenant:int:50; lang:enum:de,en; year:int:2000-2026", "text_bytes": 1_200},
    ),
    Case("Searches for 4 vectors", {"queries_per_search": 4, "variants": "pymilvus/sync; pymilvus/async"}),
)
Compare = Callable[[Settings, list[str]], list[Figures]]


def drop(settings: Settings) -> None:
    """Leave nothing on a server that stays."""
    client = open_client(settings.host)
    client.drop_collection(settings.collection)
    client.close()


def measure_cases(
    real: Mapping[str, Any], compare: Compare, say: Callable[[str], None], stack: ExitStack
) -> list[tuple[str, list[Figures]]]:
    """The windows of each case. `real` are settings with the address of a real Milvus, which makes the replies.

    The `stack` drops the collections at its end.
    """
    cases = []
    for number, case in enumerate(CASES):
        settings = Settings.parse({**real, **case.given, "collection": f"{real['collection']}_{number}"})
        stack.callback(drop, settings)
        say(f"{case.title}: {prepare(settings, open_dataset(settings), say)}")
        with ReplayServer(settings.host) as replay:
            replayed = settings.model_copy(update={"host": replay.uri})
            cases.append((case.title, compare(replayed, case.flags)))
    return cases
