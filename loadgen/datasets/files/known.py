"""The neighbours that a file knows, as ground truth."""

import numpy as np

from loadgen.datasets.files.content import Content, DataFileError, Numbers
from loadgen.datasets.neighbours import GroundTruth

TIE = 1e-6
"""Relative difference of two distances that count as equal: files have them in float32."""


def read_known(content: Content, top_k: int, queries: int) -> GroundTruth | None:
    """The nearest `top_k` rows of the first queries, with those that tie with the last of them if distances are known.

    None if the file has fewer, or if more rows might tie than it lists. Raises DataFileError.
    """
    result = read_numbers(content, queries)
    if result is None or result.shape[1] < top_k:
        return None
    counts = np.full(queries, top_k)
    if content.distances is not None:
        distances = content.distances(queries)
        last = distances[:, top_k - 1]
        counts = (distances <= (last + TIE * np.maximum(1, np.abs(last)))[:, None]).sum(axis=1)
        counts = np.maximum(counts, top_k)
        if top_k < result.shape[1] and (counts == result.shape[1]).any():
            return None
    owners = np.repeat(np.arange(queries), counts)
    numbers = np.concatenate([np.sort(row[:count]) for row, count in zip(result, counts, strict=True)])
    return GroundTruth(top_k, owners, numbers)


def read_numbers(content: Content, queries: int) -> Numbers | None:
    """The row numbers that the file lists for the first queries; None if it has none.

    Raises DataFileError if one is no row.
    """
    if content.neighbours is None:
        return None
    numbers = content.neighbours(queries)
    outside = (numbers < 0) | (numbers >= content.train.size)
    for query, place in np.argwhere(outside)[:1]:
        problem = (
            f"lists row {numbers[query, place]} as a neighbour of query {query}, and there are "
            f"{content.train.size:,} rows, from 0"
        )
        raise DataFileError(content.path, problem, "Use the neighbours of these rows.")
    return numbers
