"""The page reaches the run records of its folder, and nothing else."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from loadgen.locust_plugin.display.progress import Progress
from loadgen.locust_plugin.web import record_routes
from loadgen.locust_plugin.web.record_folder import HEAD, LISTED, RecordFolder
from loadgen.results.record import write_record
from tests.unit.record_support import comparison, phase, record, timed
from tests.unit.test_tab import page

RUN, OTHER = "20261122-193000-k3f9", "20261122-200000-abcd"
OUTSIDE = (
    "../secret.json", "..%2Fsecret.json", "%2e%2e/secret.json", "/etc/passwd", "....//secret.json", "sub/secret.json",
    ".hidden.json", "notes.json", "link.json", "folder.json", f"{RUN}.html", f"{RUN}", f"{RUN}.json%00",
    f"{RUN}.json/", "", ".", "..",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _no_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locust reads the fields of its form from the command line, which is pytest's here."""
    monkeypatch.setattr("sys.argv", ["locust"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two records, one with a report, among files that are none of the page's business."""
    runs = tmp_path / "runs"
    (runs / "sub").mkdir(parents=True)
    (runs / "folder.json").mkdir()
    phases = [phase(mode, 8, timed([50] * 10)) for mode in ("sync", "async", "async", "sync")]
    for number, run in enumerate((RUN, OTHER)):
        path = write_record(runs, record(*phases, comparisons=(comparison(8),), run_id=run))
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
    (runs / f"{RUN}.html").write_text("<title>Report</title><script>alert(1)</script>")
    secret = '{"schema_version":7,"run_id":"secret"}'
    for path in (tmp_path / "secret.json", runs / "sub" / "secret.json", runs / ".hidden.json"):
        path.write_text(secret)
    (runs / "notes.json").write_text('{"token": "secret"}')
    (runs / "link.json").symlink_to(tmp_path / "secret.json")
    return runs


def test_a_list_has_the_records_of_the_folder_the_newest_first(folder: Path) -> None:
    result = RecordFolder(str(folder)).newest()
    assert [(one.name, one.has_report) for one in result] == [(f"{OTHER}.json", False), (f"{RUN}.json", True)]
    assert result[1].written == "2023-11-14 22:13:20 UTC"
    assert result[1].megabytes == round((folder / f"{RUN}.json").stat().st_size / 1e6, 3)
    assert HEAD.match((folder / f"{RUN}.json").read_bytes())


def test_no_folder_is_an_empty_list(tmp_path: Path) -> None:
    for name in ("", str(tmp_path / "none"), str(tmp_path / "file")):
        (tmp_path / "file").write_text("")
        assert RecordFolder(name).newest() == []
        assert RecordFolder(name).find(f"{RUN}.json") is None


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_name_reaches_no_other_file(name: str, folder: Path) -> None:
    result = RecordFolder(str(folder))
    assert result.find(name) is None
    assert result.find_report(name) is None
    with page(folder=str(folder)) as (client, _):
        for answer in (
            client.get(f"/variants/records/{name}"),
            client.get(f"/variants/records/{name}/report"),
            client.post(f"/variants/records/{name}/report"),
            client.post("/variants/compare", data={"old": name, "new": f"{RUN}.json"}),
        ):
            assert b'"secret"' not in answer.data
            assert b"root:" not in answer.data
            assert answer.status_code in (200, 308, 404, 405), answer.status_code
            assert answer.status_code != 200 or answer.get_json(silent=True) is not None, "the list at most"


def test_only_the_newest_of_very_many_are_listed(tmp_path: Path) -> None:
    for number in range(LISTED + 5):
        path = tmp_path / f"run{number:03}.json"
        path.write_text('{"schema_version":7,"run_id":"x"}')
        os.utime(path, (number, number))
    result = RecordFolder(str(tmp_path)).newest()
    assert (len(result), result[0].name, result[-1].name) == (LISTED, "run104.json", "run005.json")


def test_a_record_and_its_report_are_opened_by_name_and_a_report_runs_no_script(folder: Path) -> None:
    with page(folder=str(folder)) as (client, _):
        reported = client.get("/variants/records").get_json()
        assert (reported["folder"], [one["name"] for one in reported["records"]]) == (
            str(folder),
            [f"{OTHER}.json", f"{RUN}.json"],
        )
        assert client.get(f"/variants/records/{RUN}.json").get_json()["run_id"] == RUN
        report = client.get(f"/variants/records/{RUN}.json/report")
        assert (report.mimetype, report.status_code) == ("text/html", 200)
        assert report.headers["Content-Security-Policy"].startswith("default-src 'none';")
        assert report.headers["X-Content-Type-Options"] == "nosniff"
        absent = client.get(f"/variants/records/{OTHER}.json/report")
        assert (absent.status_code, absent.get_data(as_text=True)) == (404, "This record has no report yet.")


def test_two_records_are_compared_by_name(folder: Path) -> None:
    with page(folder=str(folder)) as (client, _):
        answer = client.post("/variants/compare", data={"old": f"{RUN}.json", "new": f"{OTHER}.json"})
        reported = json.loads(answer.data)
        assert (answer.status_code, reported["old"], reported["new"]) == (200, RUN, OTHER)
        assert reported["verdict"][0] == "No significant regression beyond 5 %."
        (folder / f"{OTHER}.json").write_text('{"schema_version":7,"run_id":"broken"')
        answer = client.post("/variants/compare", data={"old": f"{RUN}.json", "new": f"{OTHER}.json"})
        assert answer.status_code == 422
        assert str(folder) not in answer.get_json()["message"]
        assert f"{OTHER}.json" in answer.get_json()["message"]


def test_a_report_is_written_for_a_record_that_has_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Path, str]] = []

    def write(record: Path, form: str) -> str:
        asked.append((record, form))
        record.with_suffix(".html").write_text("<title>Drawn</title>")
        return f"Report: {record.with_suffix('.html')}"

    monkeypatch.setattr(record_routes, "write_beside", write)
    with page(folder=str(folder)) as (client, _):
        assert client.post(f"/variants/records/{OTHER}.json/report").get_json()["message"].startswith("Report: ")
        assert client.get(f"/variants/records/{OTHER}.json/report").get_data(as_text=True) == "<title>Drawn</title>"
        assert client.post("/variants/records/none.json/report").status_code == 404
    assert asked == [(folder / f"{OTHER}.json", "html")]


def test_nothing_is_compared_or_drawn_during_a_run(folder: Path) -> None:
    progress = Progress()
    with page(folder=str(folder), progress=progress) as (client, tab_data):
        forms: dict[str, Any] = {"/variants/compare": {"old": f"{RUN}.json", "new": f"{OTHER}.json"}}
        forms[f"/variants/records/{OTHER}.json/report"] = {}
        progress.begin_preparing()
        for path, form in forms.items():
            answer = client.post(path, data=form)
            assert (answer.status_code, "A run is active" in answer.get_json()["message"]) == (409, True)
        progress.rest()
        tab_data.is_ending = True
        assert client.post("/variants/compare", data=forms["/variants/compare"]).status_code == 409
        assert len(client.get("/variants/records").get_json()["records"]) == 2, "a list costs little"
    assert not (folder / f"{OTHER}.html").exists()


def test_another_site_can_read_no_record_but_may_link_to_one(folder: Path) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    paths = (
        "/variants/records",
        f"/variants/records/{RUN}.json",
        f"/variants/records/{RUN}.json/report",
        "/variants/data",
    )
    with page(folder=str(folder)) as (client, _):
        for path in paths:
            assert client.get(path, headers=foreign).status_code == 403, path
            assert client.get(path, headers={"Origin": "http://evil"}).status_code == 403, path
            assert client.get(path, headers=foreign | {"Sec-Fetch-Mode": "navigate"}).status_code == 200, path
            assert client.get(path).status_code == 200, path
        assert client.post("/variants/compare", data={}, headers=foreign).status_code == 403


def test_nobody_sees_a_record_before_the_login(folder: Path) -> None:
    with page(folder=str(folder), login=True) as (client, _):
        for path in ("", f"/{RUN}.json", f"/{RUN}.json/report"):
            answer = client.get(f"/variants/records{path}")
            assert (answer.status_code, answer.location.partition("?")[0]) == (302, "/login")
        assert client.post("/variants/compare", data={}).status_code == 302
