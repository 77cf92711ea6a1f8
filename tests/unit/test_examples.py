"""The README's examples of the output are what this version prints of the records beside them."""

from loadgen.results.record import read_record
from tests.benchmarks.examples import BLOCK, README, RECORDS, TABLE, render, show

PAGE = README.read_text()


def test_the_examples_of_the_readme_are_what_the_records_show() -> None:
    assert [(match[2], match[3]) for match in BLOCK.finditer(PAGE)] == [("output", "demo"), ("tables", "burst")]
    assert render(PAGE) == PAGE, "run `python -m tests.benchmarks.examples`"


def test_an_example_ends_with_verdict_and_files_and_has_every_table() -> None:
    run = read_record(RECORDS / "demo.json")
    lines = show(run)
    assert lines[-2:] == [f"Run record: runs/{run.run_id}.json", f"Report: runs/{run.run_id}.html"]
    assert sum(line.startswith("┏") for line in lines) == 2
    assert len([line for line in lines if line.startswith("│")]) == 2 * 6
    assert any(line.startswith("search: ") for line in lines)
    assert max(len(line) for line in lines if not line.startswith(TABLE)) <= 128


def test_the_records_of_the_examples_are_those_of_make_demo() -> None:
    demo, burst = (read_record(RECORDS / f"{name}.json") for name in ("demo", "burst"))
    makefile = (README.parent / "Makefile").read_text()
    assert "DEMO_SEARCH ?= --concurrency 1,8,32 --rounds 1 --phase-seconds 5 --warmup-seconds 1" in makefile
    settings = demo.manifest.settings
    assert [settings[name] for name in ("concurrency", "rounds", "phase_seconds", "warmup_seconds")] == [
        [1, 8, 32], 1, 5.0, 1.0,
    ]  # fmt: skip
    assert "DEMO_BURST ?= --burst 10,100" in makefile
    assert burst.manifest.settings["burst"] == [10, 100]
    assert {demo.incomplete, burst.incomplete} == {""}
