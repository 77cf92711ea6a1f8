"""Runs of five variants: two differ in settings, one has a name of a user's own, one is an A/A test."""

from datetime import UTC, datetime, timedelta
from typing import Any

from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase
from loadgen.measure.recall import Check
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.results.comparison_plan import ComparisonPlan
from loadgen.results.levels import LevelResult, find_levels
from loadgen.results.record import Comparison, PhaseRecord, Ratio, RunRecord
from tests.unit.beats import watch
from tests.unit.record_support import comparison, manifest, phase, record, timed, variant
from tests.unit.result_support import results_of

BEGAN = datetime(2026, 11, 26, 19, 30, tzinfo=UTC)
FIELDS = "async output-fields=text,doc_id"
LONG = "four connections, each to another proxy, twenty neighbours"
NAMES = ("sync", "async", FIELDS, LONG, "async#2")
SPEED = {"sync": 40.0, "async": 80.0, FIELDS: 60.0, LONG: 120.0, "async#2": 80.0}
"""Operations per second at one user."""
RECALL = {"sync": 0.97, "async": 0.97, FIELDS: 0.97, LONG: 0.99, "async#2": 0.97}


def mode_of(name: str) -> str:
    return "sync" if name == "sync" else "async"


def ratio_of(name: str, at: float = 1.0) -> Ratio:
    """To sync, as the rates or, with `at` -1, the times have it."""
    estimate = (SPEED[name] / SPEED["sync"]) ** at
    given = (SPEED["sync"], SPEED[name]) if at > 0 else (1 / SPEED["sync"], 1 / SPEED[name])
    return Ratio(
        estimate=estimate, low=0.9 * estimate, high=1.1 * estimate, baseline_value=given[0], variant_value=given[1]
    )


def compared(users: int, name: str) -> Comparison:
    """The second run of async is invalid, all others are won by the variant."""
    times = ratio_of(name, -1.0)
    result = comparison(users, variant=name, p99=times)
    update: dict[str, Any] = {"throughput_ratio": ratio_of(name), "p50_ratio": times}
    if name == "async#2":
        update |= {"verdict": "invalid", "reasons": ("phase 5 lost 1 user",)}
    return result.model_copy(update=update)


def five_variants(levels: tuple[int, ...] = (1, 8, 32)) -> RunRecord:
    """Rounds forward and back at each level, with stages of every search."""
    phases: list[PhaseRecord] = []
    for users in levels:
        for name in (*NAMES, *reversed(NAMES)):
            seconds = 1 / SPEED[name]
            stages = {
                stage: timed([10] * 10, part * seconds).response_seconds
                for stage, part in (("rpc", 0.75), ("decode", 0.2))
            }
            rate = SPEED[name] * users**0.5
            done = {Outcome.OK: round(10 * rate), Outcome.TIMEOUT: len(name) % 3}
            search = timed([rate] * 10, seconds, stages=stages, recall=RECALL[name], outcomes=done)
            began = BEGAN + timedelta(seconds=12 * len(phases))
            phases.append(phase(mode_of(name), users, search, variant=name, started_at=began))
    variants = (
        variant("sync"),
        variant("async"),
        variant(FIELDS, "async", output_fields=["text", "doc_id"]),
        variant(LONG, "async", connections=4, top_k=20),
        variant("async#2", "async"),
    )
    result = tuple(compared(users, name) for users in levels for name in NAMES[1:])
    return record(*phases, comparisons=result, manifest=manifest(variants=variants))


def one_variant() -> RunRecord:
    """Two rounds of one variant with a setting."""
    phases = [phase("async", 8, timed([50] * 10), variant=FIELDS) for _ in range(2)]
    only = (variant(FIELDS, "async", output_fields=["text", "doc_id"]),)
    return record(*phases, manifest=manifest(variants=only, baseline=FIELDS))


def counted(rate: float = 0.0, rounds: int = 1) -> Ledger:
    """One level, 8 users or arrivals at a rate: all operations of a variant take equally long."""
    ledger = Ledger()
    for number, name in enumerate((*NAMES, *reversed(NAMES)) * rounds):
        start, took = 100.0 * (number + 1), 1 / SPEED[name]
        model, users = ("poisson", 0) if rate else ("closed", 8)
        load: dict[str, Any] = {"seconds": 10, "model": model, "rate": rate, "variant": name}
        ledger.open(Phase(number, Mode(mode_of(name)), users, **load), start, start + 10)
        watch(ledger, start, 10)
        count = round(10 * SPEED[name])
        ends = [start + 10 * (place + 0.5) / count for place in range(count)]
        ledger([Sample(name, "search", end - took, end - took, end, Outcome.OK, 10) for end in ends])
        for place in range(20):
            ledger.check(Check(start + 5, place, RECALL[name], "search"))
    return ledger


def levels_of(ledger: Ledger) -> list[LevelResult]:
    """Compared with sync; the variant that asks for more rows need not find the same ones."""
    return find_levels(results_of(ledger), 1, ComparisonPlan(NAMES, "sync", {LONG: "twenty neighbours"}))
