"""`loadgen compare` says whether it got worse, by words and by its exit code."""

import json
from pathlib import Path

import pytest

from loadgen.cli.main import main
from loadgen.results.record import write_record
from tests.unit.record_support import manifest, phase, record, timed

Captured = pytest.CaptureFixture[str]


def kept(folder: Path, name: str, rate: float, rows: int = 100, saturated: bool = False) -> str:
    rounds = [
        phase(mode, 8, timed([rate] * 10), saturated=saturated) for mode in ("sync", "async", "async", "sync") * 2
    ]
    settings = {"rows": rows, "index_type": name}
    return str(write_record(folder, record(*rounds, run_id=name, manifest=manifest(settings=settings))))


def test_the_same_speed_is_exit_code_0(tmp_path: Path, capsys: Captured) -> None:
    assert main(["compare", kept(tmp_path, "a", 100), kept(tmp_path, "b", 100)]) == 0
    out = capsys.readouterr().out
    assert "setting index_type: a -> b" in out
    assert "No significant regression beyond 5 %." in out
    assert "may be undetected" in out


def test_a_slower_run_is_exit_code_1_and_names_what_is_slower(tmp_path: Path, capsys: Captured) -> None:
    old, new = kept(tmp_path, "a", 100), kept(tmp_path, "b", 60)
    assert main(["compare", old, new]) == 1
    assert "2 regressions beyond 5 %: search sync at 8 users throughput 0.60 (" in capsys.readouterr().out
    assert main(["compare", old, new, "--tolerance", "50%"]) == 0
    assert main(["compare", new, old]) == 0
    assert "2 improvements beyond 5 %" in capsys.readouterr().out


def test_json_has_every_figure(tmp_path: Path, capsys: Captured) -> None:
    assert main(["compare", kept(tmp_path, "a", 100), kept(tmp_path, "b", 60), "--format", "json"]) == 1
    reported = json.loads(capsys.readouterr().out)
    assert (reported["old"], reported["new"], reported["tolerance"], reported["regressions"]) == ("a", "b", 0.05, 2)
    first = reported["findings"][0]
    assert (first["variant"], first["mode"], first["client"]) == ("sync", "sync", "llamaindex")
    assert (first["figure"], first["verdict"]) == ("throughput", "regression")
    assert first["ratio"]["low"] < 0.6 < first["ratio"]["high"]
    assert first["ratio"]["estimate"] == pytest.approx(0.6)
    assert reported["changes"] == [{"kind": "setting", "name": "index_type", "old": "a", "new": "b"}]


def test_markdown_has_the_verdict_first(tmp_path: Path, capsys: Captured) -> None:
    assert main(["compare", kept(tmp_path, "a", 100), kept(tmp_path, "b", 60), "--format", "markdown"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("**2 regressions beyond 5 %")
    assert "| search | sync | 8 users | throughput | 100.0/s | 60.00/s | 0.60 (" in "\n".join(lines)


def test_other_data_are_refused_unless_named(tmp_path: Path, capsys: Captured) -> None:
    old, new = kept(tmp_path, "a", 100), kept(tmp_path, "b", 100, rows=200)
    assert main(["compare", old, new]) == 2
    assert "rows is 100 in OLD and 200 in NEW" in capsys.readouterr().err
    assert main(["compare", old, new, "--changed", "rows"]) == 0


def test_runs_whose_generator_was_the_limit_have_no_verdict(tmp_path: Path, capsys: Captured) -> None:
    assert main(["compare", kept(tmp_path, "a", 100), kept(tmp_path, "b", 60, saturated=True)]) == 2
    out = capsys.readouterr().out
    assert "No verdict: no performance figure is comparable." in out
    assert "Invalid: search sync at 8 users: in NEW the load generator was the limit." in out


def test_a_missing_record_and_a_wrong_flag_are_exit_code_2(tmp_path: Path, capsys: Captured) -> None:
    good = kept(tmp_path, "a", 100)
    assert main(["compare", good, str(tmp_path / "none.json")]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert main(["compare", good, good, "--changed", "index_type"]) == 2
    assert "--changed index_type is none of rows" in capsys.readouterr().err
    for wrong in ("5", "150%", "five"):
        with pytest.raises(SystemExit) as caught:
            main(["compare", good, good, "--tolerance", wrong])
        assert caught.value.code == 2
