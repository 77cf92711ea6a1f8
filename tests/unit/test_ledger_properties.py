"""Invariants of ledgers and histograms: reports may arrive in any order and any number of times."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadgen.control.merged_ledger import MergedLedger
from loadgen.measure.batch import Batch
from loadgen.measure.histograms import (
    COARSE_BITS,
    EXACT_BITS,
    HIGHEST,
    LOWEST,
    bucket_widths,
    find_value,
    find_values,
    pack,
    unpack,
)
from loadgen.measure.ledger import Ledger
from loadgen.measure.operation_stats import Times
from loadgen.measure.phase import Phase
from loadgen.measure.recall import Check
from loadgen.measure.sample import Mode, Outcome, Sample

PHASES = tuple(
    Phase(number, mode, 8, 10.0, attempt=attempt)
    for number, mode, attempt in ((0, Mode.SYNC, 0), (1, Mode.ASYNC, 0), (1, Mode.ASYNC, 1), (2, Mode.SYNC, 0))
)
STARTS = tuple(100.0 + 20.0 * place for place in range(len(PHASES)))
"""On every agent's clock; each phase is 10 s long."""

samples = st.builds(
    lambda moment, took, late, mode, operation, outcome: Sample(
        mode, operation, moment - took - late, moment - took, moment, outcome, 3
    ),
    st.integers(9_000, 18_500).map(lambda number: number / 100),
    st.sampled_from([0.001, 0.02, 0.5, 30.0]),
    st.sampled_from([0.0, 0.0, 0.3]),
    st.sampled_from(Mode),
    st.sampled_from(["search", "insert"]),
    st.sampled_from(Outcome),
)
lives = st.lists(st.lists(samples, max_size=6), min_size=1, max_size=6)
"""What an agent counts between its reports."""


def live(life: Sequence[Sequence[Sample]], number: int) -> tuple[Ledger, list[dict[str, Any]]]:
    """An agent that sees the phases one after another, and the reports it makes meanwhile; the last one is final."""
    ledger = Ledger()
    reports = []
    waiting = list(zip(PHASES, STARTS, strict=True))
    moments = sorted((sample for batch in life for sample in batch), key=lambda one: one.finished)
    size = -(-len(moments) // len(life)) or 1
    for first in range(0, len(moments), size):
        batch = moments[first : first + size]
        for sample in batch:
            while waiting and waiting[0][1] <= sample.finished:
                phase, start = waiting.pop(0)
                ledger.open(phase, start, start + 10.0)
                ledger.check(Check(start + 1.0, number, 0.5, "search"))
            ledger([sample])
        reports.append(ledger.take_report(batch[-1].finished))
    reports.append(ledger.take_report(300.0, final=True))
    return ledger, [msgpack.unpackb(msgpack.packb(report), strict_map_key=False) for report in reports]


def seen(ledger: MergedLedger) -> dict[str, Any]:
    """All that a result consists of."""
    return {
        "windows": {
            number: {
                "operations": {kind: (stats.outcomes, stats.rows) for kind, stats in window.operation_stats.items()},
                "times": {
                    (*kind, place): (times.service.encode(), times.response.encode())
                    for kind, stats in window.operation_stats.items()
                    for place, times in stats.times.items()
                },
                "slices": {
                    operation: [(piece.operations, sorted(piece.buckets.items())) for piece in pieces]
                    for operation, pieces in window.slices.items()
                },
                "flow": (window.flow.offered, window.flow.dropped, window.flow.left.encode()),
                "recalls": window.recalls.by_query,
                "seconds": window.seconds,
                "attempt": window.phase.attempt,
            }
            for number, window in ledger.windows.items()
        },
        "outside": ledger.outside,
        "dropped_outside": +Counter(ledger.dropped_outside),
        "answered": ledger.answered,
        "failed": ledger.failed,
    }


def merged(reports: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    ledger = MergedLedger()
    for agent, report in reports:
        ledger.merge(report, agent)
    return seen(ledger)


@settings(max_examples=30)
@given(st.lists(lives, min_size=1, max_size=3), st.data())
def test_reports_merged_in_any_order_and_as_often_as_they_like_give_the_same(
    agents: list[list[list[Sample]]], data: st.DataObject
) -> None:
    reports = [(f"w{number}", report) for number, life in enumerate(agents) for report in live(life, number)[1]]
    repeated = data.draw(st.lists(st.sampled_from(range(len(reports))), max_size=4))
    order = data.draw(st.permutations([*range(len(reports)), *repeated]))
    assert merged([reports[place] for place in order]) == merged(reports)


@settings(max_examples=30)
@given(st.lists(lives, min_size=1, max_size=3))
def test_the_result_of_agents_is_that_of_one_process_that_counted_everything(agents: list[list[list[Sample]]]) -> None:
    reports = [(f"w{number}", report) for number, life in enumerate(agents) for report in live(life, number)[1]]
    result = MergedLedger()
    for agent, report in reports:
        result.merge(report, agent)
    alone = Ledger()
    every = sorted((sample for life in agents for batch in life for sample in batch), key=lambda one: one.finished)
    inside: Counter[tuple[int, str, str, Outcome]] = Counter()
    outside: Counter[tuple[str, str, Outcome]] = Counter()
    for sample in every:
        kind = (sample.variant, sample.operation, sample.outcome)
        place = next((p for p, start in enumerate(STARTS) if start <= sample.finished < start + 10.0), None)
        if place is None or PHASES[place].attempt < last_attempt(agents, PHASES[place].number):
            outside[kind] += 1
        else:
            inside[PHASES[place].number, *kind] += 1
        alone([sample])
    assert inside == Counter(
        {
            (number, *kind, outcome): n
            for number, window in result.windows.items()
            for kind, stats in window.operation_stats.items()
            for outcome, n in stats.outcomes.items()
        }
    )
    assert outside == Counter({(*kind, end): n for kind, ends in result.outside.items() for end, n in ends.items()})
    assert result.answered + result.failed == len(every) == alone.answered + alone.failed


def last_attempt(agents: list[list[list[Sample]]], number: int) -> int:
    """The latest attempt at a phase of which any agent knows: it has seen an operation end after its start."""
    latest = max((sample.finished for life in agents for batch in life for sample in batch), default=0.0)
    begun = [
        phase.attempt for phase, start in zip(PHASES, STARTS, strict=True) if phase.number == number and start <= latest
    ]
    return max(begun, default=0)


@settings(max_examples=30)
@given(lives)
def test_a_report_that_is_lost_is_made_up_for_by_any_later_one(life: list[list[Sample]]) -> None:
    _, reports = live(life, 0)
    for first, second in pairwise(range(len(reports))):
        assert merged([("w", reports[second])]) == merged([("w", reports[first]), ("w", reports[second])])


@settings(max_examples=30)
@given(lives, st.integers(0, 5))
def test_what_was_confirmed_is_left_out_and_missed_by_nobody(life: list[list[Sample]], upto: int) -> None:
    _, reports = live(life, 0)
    ledger, _ = live(life, 0)
    confirmed = reports[: upto + 1]
    for report in confirmed:
        ledger.confirm(report["sequence"])
    last = ledger.take_report(300.0)
    assert merged([*(("w", report) for report in confirmed), ("w", last)]) == merged([("w", reports[-1])])


counts = st.dictionaries(st.integers(LOWEST, HIGHEST), st.integers(1, 2**32 - 1), max_size=20)


@given(counts)
def test_packed_buckets_are_the_same_unpacked(buckets: dict[int, int]) -> None:
    packed = pack(buckets)
    assert unpack(packed) == buckets
    assert len(packed) == 8 * len(buckets)


seconds = st.floats(0.0, 700.0)


@pytest.mark.parametrize(("bits", "widest"), [(EXACT_BITS, 1 / 1000), (COARSE_BITS, 1 / 128)])
@given(times=st.lists(seconds, min_size=1, max_size=30))
def test_every_time_has_the_lowest_microsecond_of_its_bucket(bits: int, widest: float, times: list[float]) -> None:
    values = find_values(np.array(times), bits)
    for time, value, width in zip(times, values, bucket_widths(values, bits), strict=True):
        micro = min(max(round(time * 1e6), LOWEST), HIGHEST)
        assert value <= micro < value + width
        assert width <= max(value * widest, 1)
    assert (find_values(values / 1e6, bits) == values).all(), "it is in its own bucket"
    assert [find_value(time, bits) for time in times] == values.tolist()


timed = st.tuples(seconds, st.sampled_from([0.0, 0.0, 0.25]))
"""What an operation took, and how late it started."""


def times_of(some: Sequence[tuple[float, float]]) -> Times:
    made = Times()
    if some:
        made.add_all(Batch.of([Sample(Mode.SYNC, "x", -late, 0.0, took, Outcome.OK, 1) for took, late in some]))
    return made


@given(st.lists(st.lists(timed, max_size=8), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_times_merged_in_any_order_are_those_of_all_at_once(
    parts: list[list[tuple[float, float]]], random: Any
) -> None:
    whole = times_of([one for part in parts for one in part])
    shuffled = list(parts)
    random.shuffle(shuffled)
    total = Times()
    for part in shuffled:
        total.merge(Times.from_message(msgpack.unpackb(msgpack.packb(times_of(part).as_message()))))
    assert total.service.encode() == whole.service.encode()
    assert total.response.encode() == whole.response.encode()
    assert total.service.get_total_count() == total.response.get_total_count() == sum(map(len, parts))
