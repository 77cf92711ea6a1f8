"""What `loadgen init` writes is read by Locust, the chart and the program."""

import re
from pathlib import Path

import pytest
import yaml

from loadgen.cli.init.answers import WORKLOADS, Answers
from loadgen.cli.init.texts import make_files
from loadgen.cli.locustfiles import find_locustfiles
from loadgen.cli.main import main
from loadgen.locust_plugin.command_line.arguments import read_settings
from loadgen.settings.model import Settings
from tests.charts.chart_support import ROOT, config_of, container_of, faults_of, render
from tests.charts.test_config import parse

HOST = "http://my-milvus:19530"
REQUIRE = "search async p99 < 50 ms; search at 8 ratio > 1.1"


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("collection", ["", "products"])
@pytest.mark.parametrize("require", ["", REQUIRE])
def test_config_file_and_chart_mean_what_was_answered(
    workload: str, collection: str, require: str, tmp_path: Path
) -> None:
    answers = Answers(HOST, collection, workload, "2,8", require)
    files = make_files(answers, find_locustfiles()[workload])
    options = parse(files["locust.conf"], tmp_path)
    here = read_settings(options, options.host)
    assert (options.host, options.headless, here.concurrency, here.record) == (HOST, True, (2, 8), "runs")
    assert (here.existing, here.collection) == (bool(collection), collection or "loadgen")
    assert here.require == tuple(answers.requirements)
    values = yaml.safe_load(files["values.yaml"])
    values["locustfile"]["inline"] = {"locustfile.py": files["locustfile.py"]}  # as --set-file does
    documents = render(values)
    assert [fault for each in documents for fault in faults_of(each, "1.28.0")] == []
    there_options = parse(config_of(documents), tmp_path)
    there = read_settings(there_options, there_options.host)
    for name in ("concurrency", "existing", "collection", "allow_writes", "require", "rounds", "phase_seconds"):
        assert getattr(there, name) == getattr(here, name), name
    assert "/etc/loadgen/locustfiles/locustfile.py" in container_of(documents, "master")["args"]


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("collection", ["", "products"])
def test_what_is_commented_out_is_a_setting_and_no_file_of_a_clone_is_named(workload: str, collection: str) -> None:
    files = make_files(Answers("", collection, workload, "2,8", ""), find_locustfiles()[workload])
    offered = re.findall(r"^# ([a-z-]+) = ", files["locust.conf"], re.MULTILINE)
    assert {"host", "require"} <= set(offered)
    assert [name for name in offered if name.replace("-", "_") not in Settings.model_fields] == []
    assert ("query-file" in offered) == (bool(collection) and not workload.startswith("rag_"))
    assert ("embedding" in offered) == workload.startswith("rag_")
    assert ("questions" in offered) == (bool(collection) and workload == "rag_query")
    for name, text in files.items():
        assert re.findall(r"(?<![/\w])(?:docs|charts|k8s|locustfiles)/|\bmake [a-z]+\)|Dockerfile", text) == [], name
    assert "helm install first-run oci://ghcr.io/OWNER/charts/milvus-loadgen " in files["values.yaml"]
    assert "oci://ghcr.io/OWNER/charts/milvus-loadgen " in (ROOT / "docs" / "releases.md").read_text()


def test_without_an_address_a_server_is_started_here_and_the_chart_has_one_to_replace(tmp_path: Path) -> None:
    files = make_files(Answers("", "", "search", "1", ""), find_locustfiles()["search"])
    assert parse(files["locust.conf"], tmp_path).host is None
    assert yaml.safe_load(files["values.yaml"])["milvus"] == {"uri": "http://my-milvus:19530"}


def test_files_are_written_all_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("nobody is there to be asked"))
    folder = tmp_path / "new" / "run"
    assert main(["init", str(folder)]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["locust.conf", "locustfile.py", "values.yaml"]
    assert (folder / "locustfile.py").read_text().startswith(find_locustfiles()["search"].read_text())
    compile((folder / "locustfile.py").read_text(), "locustfile.py", "exec")
    assert "doctor" not in capsys.readouterr().out, "there is no server to look at"
    (folder / "values.yaml").unlink()
    (folder / "locust.conf").write_text("mine")
    assert main(["init", str(folder)]) == 2
    assert "has locustfile.py, locust.conf already" in capsys.readouterr().err
    assert not (folder / "values.yaml").exists()
    assert (folder / "locust.conf").read_text() == "mine"
    assert main(["init", str(folder), "--force", "--host", HOST, "--workload", "mixed"]) == 0
    assert f"host = {HOST}" in (folder / "locust.conf").read_text()
    assert "loadgen doctor" in capsys.readouterr().out
    (tmp_path / "file").write_text("")
    assert main(["init", str(tmp_path / "file")]) == 2
    assert "loadgen init: " in capsys.readouterr().err


def test_all_faults_are_told_together_and_no_password_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--workload", "serch", "--concurrency", "0", "--require", "search p99", "--host", "http://u:secret@m"]
    assert main(["init", str(tmp_path / "x"), *flags]) == 2
    reported = capsys.readouterr().err
    for flag in flags[::2]:
        assert reported.count(f"  {flag}") == 1
    assert reported.startswith("loadgen init: nothing was written:\n")
    assert "secret" not in reported
    assert not (tmp_path / "x").exists()


def test_on_a_terminal_what_was_not_given_is_asked_and_nothing_means_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reported: list[str] = []
    replies = iter([HOST, "products", "4", ""])

    def reply(question: str) -> str:
        reported.append(question)
        try:
            return next(replies)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", reply)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert main(["init", str(tmp_path), "--workload", "insert"]) == 0
    assert len(reported) == 4
    assert reported[2].endswith("[1,8,32,64]: ")
    text = (tmp_path / "locust.conf").read_text()
    assert "collection = products\n" in text
    assert "concurrency = 4\n" in text
    assert "allow-writes = true\n" in text
    assert main(["init", str(tmp_path / "other")]) == 130, "the input has ended"
    assert "nothing was written" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
