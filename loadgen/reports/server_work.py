"""The server's own view of the load, by variant and level."""

from loadgen.reports.summary import Summary
from loadgen.reports.tables import Table, make_table, milliseconds
from loadgen.results.server_work import TIMES, ServerWork
from loadgen.results.verdict.phrases import NONE

HEADS = {
    "search": "search ms",
    "search_queue": "queue ms",
    "search_wait": "wait ms",
    "search_reduce": "merge ms",
    "search_decode": "decode ms",
    "node_queue": "node queue ms",
    "node_search": "node search ms",
}
MIB = 2**20


def server_table(summary: Summary) -> Table:
    """A row per variant and level, of all requests of the phases; empty if the server was not asked."""
    every = {(row.series.level, row.series.variant): row.series for row in summary.rows}
    order = {name: place for place, name in enumerate(summary.plot_styles)}
    known = [(key, work) for key, one in every.items() if (work := one.server_work) is not None]
    known.sort(key=lambda item: (item[0][0], order.get(item[0][1], len(order))))
    shown = [name for name in TIMES if any(work.seconds[name] is not None for _, work in known)]
    has_inserts = any(work.inserts for _, work in known)
    inserts = ("inserts", "insert ms") if has_inserts else ()
    ends = ("failed", "rate-limited", "cores", "memory MiB")
    head = ("load", "variant", "searches", *(HEADS[name] for name in shown), *inserts, *ends)

    def make_row(item: tuple[tuple[object, str], ServerWork]) -> tuple[str, ...]:
        (level, variant), work = item
        times = (milliseconds(work.seconds[name]) for name in shown)
        written = (f"{work.inserts:,}", milliseconds(work.insert_seconds)) if has_inserts else ()
        cores = NONE if work.cores is None else f"{work.cores:.2f}"
        memory = NONE if work.memory_bytes is None else f"{work.memory_bytes / MIB:,.0f}"
        counts = (f"{work.failed:,}", f"{work.rate_limited:,}", cores, memory)
        return (str(level), variant, f"{work.searches:,}", *times, *written, *counts)

    return make_table("Milvus's own view: means by its clock", head, known, make_row, 2)
