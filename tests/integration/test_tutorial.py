"""The tutorial as a locustfile: its chapters, its table, and the same work by equally many users in both modes."""

import re
from pathlib import Path

from tests.integration.locust_command import record_of, run_locust
from tests.integration.plain_clients import client_of
from tests.integration.store_support import drop

SHORT = ("--concurrency", "2", "--rounds", "1", "--phase-seconds", "0.6", "--warmup-seconds", "0.2", "--burst", "4,9")
DATA = ("--collection", "tutorial", "--dim", "16", "--rows", "300", "--queries", "20")


def test_the_chapters_and_the_table_run_in_order_and_leave_no_collection_behind(lite_uri: str, tmp_path: Path) -> None:
    run = run_locust(tmp_path, "--host", lite_uri, *DATA, *SHORT, files="tutorial.py")
    run.assert_good()
    table = run.err[run.err.index("The tutorial's chapters: 24 documents") :]
    rows = ["read documents", "from_documents(use_async=True)", "from_documents(use_async=False)", "aquery", "query"]
    measured = ["", "async ingest", "sync ingest", "async ask", "sync ask"]
    for row, what in zip(rows, measured, strict=True):
        own = rf" +{what}, 8 in flight +[\d.]+ +[\d.]+ +[\d.]+ +0\n" if what else r"\n"
        match = re.search(rf"loadgen: {re.escape(row)} +\d+\.\d{{3}}{own}", table)
        assert match, f"{row} in {table}"
        table = table[match.end() :]
    phases = record_of(tmp_path).phases
    assert [(one.operations[0].operation, one.style, one.operations[0].count) for one in phases[:12]] == [
        (operation, style, number)
        for operation in ("search", "insert")
        for number in (4, 9)
        for style in ("sync", "threads", "async")
    ]
    assert [(one.variant, one.style, one.concurrency) for one in phases[12:]] == [
        (mode, "", 2) for mode in ("sync", "async", "async", "sync")
    ]
    assert all({one.operation for one in phase.operations} == {"search", "insert"} for phase in phases[12:])
    assert {outcome for phase in phases for one in phase.operations for outcome in one.outcomes} == {"ok"}
    assert "one after another" in run.out
    assert "Variants, level by level" in run.out
    with client_of(lite_uri) as client:
        assert [name for name in client.list_collections() if name.startswith("loadgen_tutorial")] == []
    drop(lite_uri, "tutorial")
