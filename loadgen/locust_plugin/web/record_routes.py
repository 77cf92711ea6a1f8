"""The routes of the page to the folder of run records."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, jsonify, request, send_file

from loadgen.locust_plugin.report_beside import write_beside
from loadgen.locust_plugin.web.record_folder import LISTED, RecordFolder, compare_records
from loadgen.runtime.hub import run_in_thread

NO_SCRIPTS = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""The policy of a report: a file of the folder may contain anything."""
ABSENT = "There is no such record in the folder of --record."
BUSY = "A run is active, and this would take CPU time from it. Wait until it has ended."
Views = dict[str, tuple[str, str, Callable[..., Any]]]


def add_record_routes(
    routes: Blueprint, key: str, wrap: Callable[[Any], Any], find_folder: Callable[[], str], is_busy: Callable[[], bool]
) -> None:
    """Add them, each wrapped in the login."""
    views: Views = {
        "records": ("GET", "", lambda: _list(find_folder())),
        "kept_record": ("GET", "/<name>", lambda name: send_kept(RecordFolder(find_folder()).find(name), ABSENT)),
        "kept_report": ("GET", "/<name>/report", lambda name: _send_report(find_folder(), name)),
        "make_report": ("POST", "/<name>/report", lambda name: _make_report(find_folder(), name, busy=is_busy())),
    }
    for name, (method, path, view) in views.items():
        routes.add_url_rule(f"/{key}/records{path}", name, wrap(view), methods=[method])
    compare = wrap(lambda: _compare(find_folder(), busy=is_busy()))
    routes.add_url_rule(f"/{key}/compare", "compare", compare, methods=["POST"])


def send_kept(path: Path | None, otherwise: str) -> Any:
    """A file, never from a cache; or why there is none."""
    if path is None or not path.is_file():
        return Response(otherwise, 404, mimetype="text/plain")
    answer = send_file(path.absolute(), download_name=path.name, max_age=0)
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Security-Policy"] = NO_SCRIPTS
    return answer


def _list(folder: str) -> Any:
    return jsonify(
        {"folder": folder, "most": LISTED, "records": [asdict(one) for one in RecordFolder(folder).newest()]}
    )


def _send_report(folder: str, name: str) -> Any:
    return send_kept(RecordFolder(folder).find_report(name), "This record has no report yet.")


def _make_report(folder: str, name: str, *, busy: bool) -> Any:
    if busy:
        return _refuse(BUSY, 409)
    record = RecordFolder(folder).find(name)
    if record is None:
        return _refuse(ABSENT, 404)
    said = run_in_thread(lambda: write_beside(record, "html"))
    return jsonify({"message": said if record.with_suffix(".html").is_file() else said.replace(str(record), name)})


def _compare(folder: str, *, busy: bool) -> Any:
    if busy:
        return _refuse(BUSY, 409)
    result = RecordFolder(folder)
    old, new = (result.find(request.form.get(name, "")) for name in ("old", "new"))
    if old is None or new is None:
        return _refuse(ABSENT, 404)
    text, problem = run_in_thread(lambda: compare_records(old, new))
    return _refuse(problem, 422) if problem else Response(text, mimetype="application/json")


def _refuse(message: str, code: int) -> Any:
    return jsonify({"message": message}), code
