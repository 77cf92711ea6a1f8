"""No output contains a control character, whatever a record, a server or an exception says."""

import base64
import json
import logging
import sys
import unicodedata
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest

from loadgen.cli.main import main
from loadgen.clients.outcomes import describe
from loadgen.measure.errors import ErrorKind
from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.reports.console import print_tables
from loadgen.results.comparison_plan import ComparisonPlan
from loadgen.results.levels import find_levels
from loadgen.results.record import RunRecord, VariantRecord, as_block, read_record, write_record
from loadgen.settings.faults import Fault
from loadgen.text.masking import keep_headers, keep_secret, keep_token
from loadgen.text.plain_text import VisibleFormatter, clean_logs, escape_json, lines, one_line
from tests.unit.record_support import comparison, manifest, phase, record, timed, variant
from tests.unit.result_support import results_of

EVIL = "se\x1b[2Jarch\x9b31m\x07\r\n\u202egnp.exe\u2066\u2028| a |\x00\x7f [red]bold[/red] :smile: \ue000\U000e0041"
ALL = "é中🙂" + "".join(map(chr, (*range(0x3000), *range(0x3000, 0xD800, 61), *range(0xE000, sys.maxunicode, 61))))


def invisible(text: str, allowed: str = "\n") -> set[str]:
    """The characters without a print that are in a text."""
    hidden = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    return {each for each in set(text) - set(allowed) if unicodedata.category(each) in hidden}


def test_every_character_of_unicode_has_a_print_in_the_end() -> None:
    shown = one_line(ALL, len(ALL))
    assert not invisible(shown, "")
    assert {"é", "中", "🙂", "ñ", "\u00a0", "a", "~"} <= set(shown), "what has a print stays"
    assert not invisible(lines(ALL, len(ALL)), "\n\t")
    assert one_line("a\x1b[31m\tb\nc\u202e") == r"a\x1b[31m\tb\nc\u202e"
    assert lines("a\x1b[31m\tb\nc\u202e") == "a\\x1b[31m\tb\nc\\u202e"
    assert one_line("\ud800") == r"\ud800"


def test_a_long_text_is_cut() -> None:
    assert one_line("a" * 2_001) == "a" * 1_999 + "…"
    assert len(one_line("\x1b" * 10_000_000, 100)) == 99 * 4 + 1


def test_json_keeps_its_meaning_and_loses_what_has_no_print() -> None:
    given = {EVIL: [ALL, "\ud83d"]}
    text = escape_json(json.dumps(given, ensure_ascii=False, indent=1))
    assert not invisible(text)
    assert json.loads(text) == given


BEGAN = datetime(2026, 11, 26, 19, 30, tzinfo=UTC)
SAME = {"dim": 768, "concurrency": [1, 8]}


def hostile() -> RunRecord:
    evil = comparison(8, operation=EVIL, reasons=(EVIL,), verdict="invalid")
    evil = evil.model_copy(update={"variant": EVIL})
    stages = {"rpc": timed([10] * 5).response_seconds}
    part = timed([10] * 5, name=EVIL, stages=stages)
    sides = ("sync", EVIL, EVIL, "sync")
    phases = [phase("sync", 8, part, variant=name, started_at=BEGAN) for name in sides]
    known = (variant("sync"), VariantRecord(name=EVIL, mode=Mode.ASYNC, client=EVIL, settings={EVIL: EVIL}))
    named = manifest(
        settings=SAME | {EVIL: EVIL}, command_line=EVIL, cpu_model=EVIL, packages={EVIL: EVIL}, server_version=EVIL,
        server_type=EVIL, python=EVIL, index={EVIL: EVIL}, variants=known,
    )  # fmt: skip
    return record(*phases, comparisons=(evil,), manifest=named)


def shown(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    main(list(command))
    reported = capsys.readouterr()
    return reported.out + reported.err


@pytest.mark.parametrize("form", ["html", "markdown", "json", "csv"])
def test_a_report_shows_a_hostile_record_in_print(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_record(tmp_path, hostile())
    assert read_record(path).comparisons[0].reasons == (EVIL,), "the file says it all"
    assert not invisible(path.read_text())
    text = shown(capsys, "report", str(path), "--format", form, "--output", "-")
    assert not invisible(text)
    assert "arch" in text
    if form == "markdown":
        assert all(line.startswith(("#", "**", "|", "-", "")) for line in text.splitlines())
        assert not [line for line in text.splitlines() if line.startswith(("31m", "gnp"))], "a forged line"


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_a_comparison_shows_hostile_records_in_print(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(write_record(tmp_path, hostile()))
    known = hostile().manifest.variants
    other = hostile().model_copy(update={"manifest": manifest(variants=known), "run_id": "other"})
    text = shown(capsys, "compare", path, str(write_record(tmp_path, other)), "--format", form)
    assert "arch" in text
    assert not invisible(text)
    if form == "text":
        assert "[red]bold[/red] :smile:" in " ".join(text.split()), "no markup is obeyed"


def test_what_is_refused_is_told_in_print_and_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"schema_version": EVIL * 10_000}))
    for command in (["report", str(path)], ["compare", str(path), str(path)]):
        reported = shown(capsys, *command)
        assert not invisible(reported)
        assert len(reported.splitlines()) == 1
        assert len(reported) < 10_000
    values = json.loads(write_record(tmp_path, record()).read_text()) | {EVIL: 1}
    path.write_text(json.dumps(values))
    reported = shown(capsys, "report", str(path))
    assert not invisible(reported)
    assert len(reported.splitlines()) == 1


def test_the_tables_at_the_end_of_a_run_are_in_print() -> None:
    ledger, out = Ledger(), StringIO()
    for number, (mode, name) in enumerate(((Mode.SYNC, "sync"), (Mode.ASYNC, EVIL))):
        ledger.open(Phase(number, mode, 8, seconds=2, variant=name), 100.0 * number, 100.0 * number + 2)
        sample = Sample(name, EVIL, 100.0 * number, 100.0 * number, 100.0 * number + 1, Outcome.OK, 1)
        ledger([sample] * 5)
        ledger.count_error(name, ErrorKind("ValueError", "search.py:1"), 100.0 * number + 1)
    results = results_of(ledger)
    print_tables(results, find_levels(results, 1, ComparisonPlan(("sync", EVIL), "sync")), out)
    assert "se\\x1b" in out.getvalue()
    assert "[red]" in out.getvalue()
    assert not invisible(out.getvalue())
    assert not invisible(as_block(hostile()))


def test_faults_and_failures_are_in_one_line_of_print() -> None:
    reported = str(Fault("require", EVIL, EVIL, EVIL))
    assert reported.startswith("--require se\\x1b")
    assert not invisible(reported, "")
    assert not invisible(describe(ValueError(EVIL)), "")


def logged(message: str, *arguments: object, error: BaseException | None = None) -> str:
    out = StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("LOG %(message)s"))
    clean_logs([handler])
    clean_logs([handler])
    assert isinstance(handler.formatter, VisibleFormatter)
    trace = (type(error), error, error.__traceback__) if error else None
    handler.handle(logging.LogRecord("loadgen", logging.ERROR, "x.py", 1, message, arguments, trace))
    return out.getvalue()


def test_a_log_line_with_a_servers_text_is_in_print_and_forges_no_other() -> None:
    reported = logged("The server said %s to %d searches", "no\nLOG all is well\x1b[2J", 3)
    assert reported == "LOG The server said no\n  LOG all is well\\x1b[2J to 3 searches\n"
    reported = logged("It failed", error=ValueError(EVIL))
    assert reported.startswith("LOG It failed\n  ValueError: se\\x1b")
    assert not invisible(reported)


def test_secrets_are_masked_in_every_text_before_it_is_cut() -> None:
    keep_secret("")
    keep_secret("plain-S3cret")
    keep_token("root:passw0rd-4711")
    keep_token("root:Milvus")
    sent = base64.b64encode(b"root:passw0rd-4711").decode()
    text = f"plain-S3cret and root:passw0rd-4711, sent as {sent}: passw0rd-4711 is not root:Milvus of Milvus"
    masked = "*** and ***, sent as ***: *** is not *** of Milvus"
    assert (one_line(text), lines(text)) == (masked, masked)
    assert one_line(f"{'x' * 20}plain-S3cret", 25) == f"{'x' * 20}***"
    assert lines(f"{'x' * 20}plain-S3cret", 25) == f"{'x' * 20}***"
    formatter = VisibleFormatter(logging.Formatter("%(message)s"))
    record = logging.LogRecord("a", logging.INFO, "", 1, "the key %s", ("plain-S3cret",), None)
    assert formatter.format(record) == "the key ***"


def test_the_values_of_headers_are_masked_as_they_are_given_and_as_they_are_sent() -> None:
    keep_headers("authorization=Bearer%20hidden-4712, x-short=a, x-key=hidden-4713")
    assert one_line("Bearer hidden-4712, hidden-4712, hidden-4713, a") == "***, ***, ***, a"
