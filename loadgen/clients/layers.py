"""The client layers, by the names that variants have for them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from loadgen.clients.base import Client, name_operations
from loadgen.datasets import Dataset, Narrowing, Row, SearchAnswer
from loadgen.measure.operation import Names, Operation
from loadgen.measure.sample import Mode
from loadgen.settings.faults import Fault
from loadgen.settings.model import Settings
from loadgen.settings.variants import CLIENTS, DEFAULT_CLIENT

ASKED_TOGETHER = 16
"""Queries in flight in `ask`. With Strong consistency each waits for a tick of the server; concurrent ones wait
together."""
Vector = npt.NDArray[np.float32]


class Connector(Protocol):
    """Opens a layer's stores on a prepared collection, and makes what its clients take.

    A store is the layer's own object with one connection; users share it. Methods with an `a` are for async stores
    and run on the loop that uses them; the others block.
    """

    can_send_several: bool
    """Whether one search can have several query vectors."""
    search_kinds: tuple[str, ...]
    """Values of `search_kind` that it can do."""

    def open(self, settings: Settings, mode: Mode) -> list[Any]:
        """Open `connections` stores. Creates, drops and alters nothing. Raises StoreError."""

    def warm(self, stores: Sequence[Any]) -> list[str]:
        """Connect them, and return the fingerprint of the data that each one sees; empty if it has none."""

    async def awarm(self, stores: Sequence[Any]) -> list[str]:
        """Connect the async ones."""

    def close(self, stores: Sequence[Any]) -> None:
        """Close what `open` opened; a second time does nothing."""

    async def aclose(self, stores: Sequence[Any]) -> None:
        """Close what `awarm` opened."""

    def make_query(self, vectors: Sequence[Vector], settings: Settings, text: str = "") -> Any:
        """What the client's `search` takes, for one or more vectors, each (dim,), and for hybrid searches a text."""

    def vary_query(self, query: Any, settings: Settings) -> Any:
        """The same query with the settings of another variant; both share the vectors."""

    def narrow_query(self, query: Any, narrowing: Narrowing) -> Any:
        """The same query with a filter or in a partition, as another object; both share the vectors."""

    def place_nodes(self, nodes: list[Any], partition: str) -> list[Any]:
        """What the client's `insert` takes to put these nodes into a partition."""

    def make_probe(self, row: Row, settings: Settings) -> Any:
        """What the client's `search` takes to find this row and no other, by its vector and its id."""

    def make_node(self, row: Row, settings: Settings) -> Any:
        """An item of what the client's `insert` takes."""

    def ask(self, store: Any, queries: Sequence[Any]) -> list[SearchAnswer]:
        """The answers to some queries, off the record. Raises what the store raises."""

    async def aask(self, store: Any, queries: Sequence[Any]) -> list[SearchAnswer]:
        """The same of an async store."""

    def count(self, store: Any) -> int:
        """Number of rows in the collection."""

    async def acount(self, store: Any) -> int:
        """The same by an async store."""


class DataSource(Protocol):
    """Where the data of a layer come from, if not from `--dataset`."""

    def adapt(self, settings: Settings, operations: Collection[str]) -> Settings:
        """The settings for users that perform these operations, without what none of them needs."""

    def find_faults(self, settings: Sequence[Settings], operations: Collection[str] | None = None) -> list[Fault]:
        """What makes these settings of variants unusable: missing models, keys or files. Reads files; sends nothing.

        What only other operations than these need is not required; None: they are not known.
        """

    def find_misfits(self, settings: Settings, dim: int) -> list[Fault]:
        """Why an existing collection with vectors of this dimension cannot be used."""

    def resolve(self, settings: Settings) -> Settings:
        """The settings with what the data decide: rows, dimension, number of queries. Raises SettingsError."""

    def describe(self, settings: Settings) -> str:
        """What each process of a run has to read and must find equal: numbers and fingerprints. May take minutes.

        Raises ValueError if it cannot be read.
        """

    def open(self, settings: Settings, token: int = 0) -> Dataset:
        """The dataset of a collection, which also has the texts of its queries. Raises SettingsError.

        `token` tells the rows that the run inserts into an existing collection; 0: it inserts none.
        """


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer that can be called: its module has it as `LAYER`, and its name is in `CLIENTS` of the variants."""

    operations: tuple[Operation, ...]
    """What it does, the same in both modes; nobody else lists them."""
    clients: Mapping[Mode, type[Client]]
    """The class of each mode. Takes a store, a function for samples, the checks of answers and the variant's name."""
    connector: Connector
    data: DataSource | None = None
    """None: the dataset of the settings."""

    @property
    def burst_operations(self) -> tuple[Operation, ...]:
        """The operations that a burst may consist of, in the order of its plan."""
        return tuple(one for one in self.operations if one.takes)


def find_layer(name: str = DEFAULT_CLIENT) -> Layer:
    """Import a layer, with its library, at its first use. Raises KeyError for a name that is not registered."""
    layer: Layer = import_module(CLIENTS[name]).LAYER
    return layer


def new_operation_names(client: str = DEFAULT_CLIENT) -> Names:
    """The names of a run's operations: those of its usual layer, and room for others."""
    return name_operations(find_layer(client).operations)
