"""The bootstrap within a phase: its slices are drawn with replacement, in circular blocks of consecutive ones.

The method and its sources are in `bootstrap.py`. Phases with equally many slices are drawn one by one, so that a seed
gives the same replicates in every version, and computed together.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from loadgen.measure.histograms import COARSE_BITS, MICROSECONDS, bucket_widths
from loadgen.measure.slice_table import SliceTable
from loadgen.measure.slices import SLICES_AT_MOST

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

QUANTILES = (0.5, 0.99)
ROUNDED = 0.5
"""Microseconds that a bucket begins below its lowest value, as times are rounded to whole ones."""
STATISTICS = 1 + len(QUANTILES)
CELLS_AT_MOST = 1 << 18
"""Replicates by buckets that are computed together: 2 MB of counts stay in the cache of a core."""


def resample(slices: SliceTable, rng: np.random.Generator, replicates: int) -> Floats:
    """Logarithms of throughput, p50 and p99 of one phase: (1 + replicates, 3), the first row as it was measured."""
    table = slices.merged(SLICES_AT_MOST)
    result: Floats = resample_together([table], draw_blocks(len(table), rng, replicates)[None])[0]
    return result


def draw_blocks(slices: int, rng: np.random.Generator, replicates: int) -> Places:
    """The first slice of each block: (replicates, blocks)."""
    return rng.integers(0, slices, (replicates, math.ceil(slices / _block_length(slices))))


def _block_length(slices: int) -> int:
    return math.ceil(round(math.pow(slices, 1 / 3), 9))


def batches(phases: Iterable[SliceTable], replicates: int) -> Iterator[list[SliceTable]]:
    """The phases in their order, merged to `SLICES_AT_MOST`, in lists that `resample_together` takes."""
    batch: list[SliceTable] = []
    widest = 1
    for phase in phases:
        table = phase.merged(SLICES_AT_MOST)
        widest = max(widest, len(table.buckets))
        is_full = (len(batch) + 1) * (1 + replicates) * max(widest, len(table)) > CELLS_AT_MOST
        if batch and (is_full or len(table) != len(batch[0])):
            yield batch
            batch, widest = [], max(1, len(table.buckets))
        batch.append(table)
    if batch:
        yield batch


def resample_together(tables: Sequence[SliceTable], blocks: Places) -> Floats:
    """`resample` of phases with equally many slices: (phases, 1 + replicates, 3).

    `blocks` (phases, replicates, blocks) are the draws of each.
    """
    slices = len(tables[0])
    length = _block_length(slices)
    weights = _count_draws(blocks, slices, length)
    # Half an operation where a replicate drew only empty slices: the logarithm of 0 is undefined.
    answered = np.maximum(_sum_up(weights, [table.operations for table in tables]), 0.5)
    rates = np.log(answered / _sum_up(weights, [table.seconds for table in tables]))
    drawn = np.concatenate([rates[:, :, None], _find_quantiles(tables, weights)], axis=2)
    # Overlapping blocks scatter about the mean of their own slices, and so show 1 - length / slices of the variance.
    drawn[:, 1:] += (drawn[:, 1:] - drawn[:, :1]) * (math.sqrt(slices / max(slices - length, 1)) - 1)
    return drawn


def _count_draws(blocks: Places, slices: int, length: int) -> Floats:
    """How often each replicate drew each slice, 1 in the first row: (phases, 1 + replicates, slices)."""
    phases, replicates, _ = blocks.shape
    chosen = ((blocks[..., None] + np.arange(length)) % slices).reshape(phases * replicates, -1)[:, :slices]
    cells = chosen + slices * np.arange(phases * replicates)[:, None]
    weights = np.ones((phases, 1 + replicates, slices))
    weights[:, 1:] = np.bincount(cells.ravel(), minlength=cells.size).reshape(phases, replicates, slices)
    return weights


def _sum_up(weights: Floats, columns: Sequence[NDArray[np.generic]]) -> Floats:
    """Sums over the drawn slices: (phases, 1 + replicates)."""
    result: Floats = (weights @ np.array(columns, dtype=np.float64)[:, :, None])[:, :, 0]
    return result


def _find_quantiles(tables: Sequence[SliceTable], weights: Floats) -> Floats:
    """Logarithms of p50 and p99: (phases, 1 + replicates, 2); linear between the edges of a bucket."""
    widest = max(len(table.buckets) for table in tables)
    if not widest:  # counted without times
        return np.full((*weights.shape[:2], len(QUANTILES)), np.nan)
    lowest = np.ones((len(tables), widest), dtype=np.int64)
    counts = np.zeros((len(tables), weights.shape[2], widest))
    for number, table in enumerate(tables):
        lowest[number, : len(table.buckets)] = table.buckets
        counts[number, :, : len(table.buckets)] = table.counts
    summed = weights @ np.cumsum(counts, axis=2)
    # A replicate of empty slices has no times: it gets those of the phase.
    phases, rows = np.nonzero(summed[:, :, -1] == 0)
    summed[phases, rows] = summed[phases, 0]
    widths = bucket_widths(lowest, COARSE_BITS)
    columns: list[Floats] = []
    for quantile in QUANTILES:
        rank = quantile * summed[:, :, -1]
        at = np.argmax(summed >= rank[:, :, None], axis=2)
        reached, before = _at(summed, at), np.where(at > 0, _at(summed, np.maximum(at - 1, 0)), 0.0)
        with np.errstate(invalid="ignore"):  # a phase without times has no quantiles
            part = (rank - before) / (reached - before)
        begins, width = np.take_along_axis(lowest, at, axis=1), np.take_along_axis(widths, at, axis=1)
        columns.append(np.log((begins - ROUNDED + part * width) / MICROSECONDS))
    return np.stack(columns, axis=2)


def _at(table: Floats, places: Places) -> Floats:
    """The value of each row (phases, rows) at its place."""
    result: Floats = np.take_along_axis(table, places[:, :, None], axis=2)[:, :, 0]
    return result
