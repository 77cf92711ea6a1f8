"""The kinds of datasets, and which of them the settings ask for."""

from loadgen.datasets.dataset import Dataset
from loadgen.datasets.synthetic import SyntheticDataset
from loadgen.settings.model import Settings


def open_dataset(settings: Settings) -> Dataset:
    """The dataset that the settings ask for."""
    return SyntheticDataset(settings)
