"""The client layers, by the names that variants have for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from loadgen.clients.base import Client, name_operations
from loadgen.measure.operation import Names, Operation
from loadgen.measure.sample import Mode
from loadgen.settings.variants import CLIENTS, DEFAULT_CLIENT


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer that can be called: its module has it as `LAYER`, and its name is in `CLIENTS` of the variants."""

    operations: tuple[Operation, ...]
    """What it does, the same in both modes; nobody else lists them."""
    clients: Mapping[Mode, type[Client]]
    """The class of each mode. Takes a store, a function for samples, the checks of answers and the variant's name."""


def find_layer(name: str = DEFAULT_CLIENT) -> Layer:
    """Import a layer, with its library, at its first use. Raises KeyError for a name that is not registered."""
    layer: Layer = import_module(CLIENTS[name]).LAYER
    return layer


def new_operation_names() -> Names:
    """The names of a run's operations: those of the default layer, and room for others."""
    return name_operations(find_layer().operations)
