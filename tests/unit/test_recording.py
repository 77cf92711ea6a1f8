"""What of a run gets into its record."""

from pathlib import Path

import pytest

from loadgen.ledger import Ledger
from loadgen.phase import Phase
from loadgen.plugin.recording import Recorder
from loadgen.record import read_record
from loadgen.report.summary import summarize
from loadgen.report.writing import make_report
from loadgen.sample import Mode, Outcome, Sample
from loadgen.settings import Settings
from loadgen.store import ServerInfo


def test_a_phase_in_which_nothing_was_answered_is_in_the_record_and_one_that_never_began_is_not(tmp_path: Path) -> None:
    ledger = Ledger()
    ledger.open(Phase(0, Mode.SYNC, 2, seconds=2.0), 10.0, 12.0)
    ledger([Sample(Mode.SYNC, "search", 10.5, 10.5, 10.6, Outcome.OK, 10)])
    ledger.open(Phase(1, Mode.ASYNC, 2, seconds=2.0), 20.0, 22.0)
    ledger([Sample(Mode.ASYNC, "search", 21.0, 21.0, 22.5, Outcome.TIMEOUT, 0)])
    ledger.open(Phase(2, Mode.ASYNC, 2, seconds=2.0), 30.0, 32.0)
    ledger.close(29.0)
    recorder = Recorder(Settings(record=str(tmp_path)), ServerInfo("2.3.5", "milvus"), 1)
    recorder.keep(ledger)
    assert recorder.path
    kept = read_record(recorder.path)
    assert [(phase.mode, phase.seconds, len(phase.operations)) for phase in kept.phases] == [
        (Mode.SYNC, 2.0, 1),
        (Mode.ASYNC, 2.0, 0),
    ]
    assert [(phase.offered, phase.unfinished, phase.longest_unfinished_seconds) for phase in kept.phases] == [
        (None, 0, None),
        (None, 1, pytest.approx(1.0, rel=2e-3)),
    ]
    assert [(part.mode, part.operation, part.outcomes) for part in kept.outside] == [
        (Mode.ASYNC, "search", {Outcome.TIMEOUT: 1})
    ]
    assert [row.series.mode for row in summarize(kept).rows] == [Mode.SYNC]
    for form in ("html", "markdown", "json", "csv"):
        assert make_report([recorder.path], form)
