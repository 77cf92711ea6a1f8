"""What a process needs of each variant."""

from dataclasses import dataclass

from loadgen.clients import Layer, find_layer
from loadgen.measure.sample import Mode
from loadgen.settings.model import Settings
from loadgen.settings.variants import find_variants, settings_of


@dataclass(frozen=True, slots=True)
class VariantSetup:
    """One variant, resolved."""

    mode: Mode
    settings: Settings
    layer: Layer
    client: str
    """The name of the layer."""


def set_up_variants(settings: Settings) -> dict[str, VariantSetup]:
    """The variants of a run, by name and in their order."""
    return {
        one.name: VariantSetup(Mode(one.mode), settings_of(settings, one), find_layer(one.client), one.client)
        for one in find_variants(settings)
    }
