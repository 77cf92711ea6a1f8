"""Whether figures reflect the load generator: its lags, what held its event loop, and its wait for a core."""

from collections.abc import Iterator

from loadgen.measure.health import CORE_WAIT_LIMIT, HELD_LIMIT
from loadgen.measure.lag import LAG_LIMIT, too_late
from loadgen.measure.sample import Mode
from loadgen.results.record import PhaseRecord, RunRecord
from loadgen.results.verdict.phrases import show_time
from loadgen.text.listing import count_of, join_some

EMBED = "embed"
"""The stage of the RAG path that can compute elsewhere."""


def say_late(record: RunRecord) -> Iterator[str]:
    """Late samples and arrivals, too few to be a limit: a p99 above it may be chance."""
    states = [(number, phase.generator) for number, phase in enumerate(record.phases, 1)]
    loop = [(n, s.loop_late_beats, s.loop_lag_max_seconds, s.loop_lag_p99_seconds) for n, s in states]
    hub = [(n, s.hub_late_beats, s.hub_lag_max_seconds, s.hub_lag_p99_seconds) for n, s in states]
    pace = [(n, s.late_arrivals, s.pace_lag_max_seconds, s.pace_lag_p99_seconds) for n, s in states]
    held = "which does not limit the generator, but may be part of the p99"
    for who, what, result, so in (
        ("The event loop was", "time", loop, held),
        ("Locust's hub was", "time", hub, "which does not limit the generator: no measured time depends on the hub"),
        ("Arrivals were started", "arrival", pace, held),
    ):
        reported = [
            f"phase {number} ({count_of(late, what)}, up to {show_time(longest)})"
            for number, late, longest, p99 in result
            if late and longest and p99 and p99 >= LAG_LIMIT and not too_late(p99, late)
        ]
        if reported:
            yield f"{who} late in {join_some(reported)}, {so}."


def say_crowded(record: RunRecord) -> Iterator[str]:
    """The event loop had no core for long: asyncio has one thread, blocking users have many."""
    result = [
        (number, phase.generator.core_wait_ratio)
        for number, phase in enumerate(record.phases, 1)
        if phase.mode is Mode.ASYNC and (phase.generator.core_wait_ratio or 0.0) >= CORE_WAIT_LIMIT
    ]
    if result:
        reported = [f"phase {number} ({share:.0%} of the time)".replace("%", " %") for number, share in result]
        yield (
            f"The event loop was ready and waited for a core in {join_some(reported)}. On a crowded machine async "
            "looks slower than it is: blocking users have many threads, the loop has one. Give the load generator "
            "cores that nothing else uses."
        )


def say_held(record: RunRecord) -> Iterator[str]:
    """One stage held the event loop for long: everything else on it waited meanwhile."""
    result: dict[str, list[str]] = {}
    crowded: set[str] = set()
    for number, phase in enumerate(record.phases, 1):
        for stage, share in phase.generator.loop_held_ratios.items():
            if share >= HELD_LIMIT:
                result.setdefault(stage, []).append(f"{share:.0%}".replace("%", " %") + f" of phase {number}")
                if (phase.generator.core_wait_ratio or 0.0) >= CORE_WAIT_LIMIT:
                    crowded.add(stage)
    for stage, shares in result.items():
        elsewhere = (
            "Choose --embed-in batched or threads for a model in this process, or add" if stage == EMBED else "Add"
        )
        computes = "it computes there, or waits for a core" if stage in crowded else "it computes there"
        where = " on cores that nothing else uses" if stage in crowded else ""
        yield (
            f"The event loop was held by stage {stage} for {join_some(shares)}: {computes}, and everything else "
            f"on the loop waits, which lengthens the stages of other operations. {elsewhere} workers{where}."
        )


def describe_peak_lags(phases: list[PhaseRecord]) -> str:
    """The highest of each figure of these phases' generators."""
    cpu = [phase.generator.cpu_ratio for phase in phases if phase.generator.cpu_ratio is not None]
    loop = [p.generator.loop_lag_p99_seconds for p in phases if p.generator.loop_lag_p99_seconds is not None]
    hub = [p.generator.hub_lag_p99_seconds for p in phases if p.generator.hub_lag_p99_seconds is not None]
    reported = [f"{max(cpu):.0%} of a core".replace("%", " %")] if cpu else []
    reported += [f"event loop {show_time(max(loop))} late at p99"] if loop else []
    reported += [f"Locust's hub {show_time(max(hub))} late at p99"] if hub else []
    pace = [p.generator.pace_lag_p99_seconds for p in phases if p.generator.pace_lag_p99_seconds is not None]
    reported += [f"arrivals started {show_time(max(pace))} late at p99"] if pace else []
    return ", ".join(reported) or "no figure was recorded"
