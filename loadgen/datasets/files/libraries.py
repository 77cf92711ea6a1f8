"""Libraries that only some layouts need, imported when a file of theirs is opened."""

from importlib import import_module
from pathlib import Path
from typing import Any

from loadgen.datasets.files.content import DataFileError


def import_library(name: str, path: Path) -> Any:
    """The module. Raises DataFileError that names the extra."""
    try:
        return import_module(name)
    except ImportError as error:
        problem = f"cannot be read without {name.partition('.')[0]} ({error})"
        raise DataFileError(path, problem, "Install it: pip install 'milvus-loadgen[datasets]'.") from error
