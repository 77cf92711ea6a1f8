"""Datasets from files: one module for each layout, and what makes a dataset of them."""

from loadgen.datasets.files.content import Content, DataFileError, VectorTable, find_vector_flaw
from loadgen.datasets.files.file_dataset import FileDataset

__all__ = ["Content", "DataFileError", "FileDataset", "VectorTable", "find_vector_flaw"]
