"""Files that belong together by their names: sift_base.fvecs, sift_query.fvecs, sift_groundtruth.ivecs."""

import re
from pathlib import Path

from loadgen.datasets.files.content import DataFileError

BASE = re.compile(r"base", re.IGNORECASE)
QUERIES = re.compile(r"quer(?:y|ies)", re.IGNORECASE)
NEIGHBOURS = re.compile(r"groundtruth|ground_truth|gt", re.IGNORECASE)


def find_queries(path: Path) -> Path | None:
    """The file with the queries for a file of rows, in the same folder. Raises DataFileError for several."""
    return _find_sibling(path, QUERIES, path.suffix, "queries")


def find_neighbour_file(path: Path, suffix: str) -> Path | None:
    """The file with the neighbours of these queries, likewise."""
    return _find_sibling(path, NEIGHBOURS, suffix, "neighbours")


def _find_sibling(path: Path, pattern: "re.Pattern[str]", suffix: str, what: str) -> Path | None:
    """A file that begins as this one does before `base`, and goes on with the pattern."""
    base = BASE.search(path.stem)
    if base is None:
        return None
    prefix = path.stem[: base.start()]
    result = sorted(
        one
        for one in path.parent.glob(f"*{suffix}")
        if one.name.startswith(prefix) and pattern.match(one.name, len(prefix))
    )
    if len(result) > 1:
        names = ", ".join(one.name for one in result)
        hint = "Move the others to another folder."
        raise DataFileError(path, f"has several files of {what} beside it: {names}", hint)
    return result[0] if result else None
