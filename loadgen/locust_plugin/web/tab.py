"""The tab "Variants" of Locust's page, through Locust's own extension points.

Locust draws the table of levels itself (`extended_tabs`, `extended_tables`, fed by `extended_stats`). Such a table
contains only text, and Locust requests it only during a run. So our script adds, below that table and only in that
tab: the current activity, links to report and record, and every phase as it ends.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, jsonify, request
from locust.runners import (
    STATE_CLEANUP,
    STATE_INIT,
    STATE_RUNNING,
    STATE_SPAWNING,
    STATE_STOPPED,
    STATE_STOPPING,
)

from loadgen.locust_plugin.patches import extend_template
from loadgen.locust_plugin.web.record_routes import add_record_routes, send_kept
from loadgen.locust_plugin.web.tab_data import TabData, table_rows

KEY = "variants"
TITLE = "Variants"
COLUMNS = {
    "users": "Users or rate", "operation": "Operation", "variant": "Variant", "verdict": "Verdict",
    "ratio_throughput": "Operations/s to baseline (95\u00a0%)", "ratio_p99": "p99 to baseline (95\u00a0%)",
    "throughput": "Operations/s", "p50": "p50 ms", "p99": "p99 ms", "empty": "Empty", "recall": "Recall",
    "mrr": "MRR",
}  # fmt: skip
GOODPUT = {"key": "goodput", "title": "Good/s"}
"""A column for runs with an objective, read whenever the page is opened."""
FindRecord = Callable[[], Path | None]
STYLES = ("tab", "form")
SCRIPTS = ("tab", "form", "records")


def add_tab(web_ui: Any, base: str, tab_data: TabData, find_record: FindRecord) -> None:
    """Add the tab and its routes, before the page is served.

    `base` is Locust's --web-base-path. `find_record` returns the file of the current or last run; the report is next to
    it. Protected by Locust's login, if enabled.
    """
    columns = [{"key": key, "title": title} for key, title in COLUMNS.items()]
    web_ui.template_args |= {
        "extended_tabs": [*web_ui.template_args.get("extended_tabs", ()), {"title": TITLE, "key": KEY}],
        "extended_tables": [*web_ui.template_args.get("extended_tables", ()), {"key": KEY, "structure": columns}],
        "extended_csv_files": [
            *web_ui.template_args.get("extended_csv_files", ()),
            {"href": f"./{KEY}/report", "title": "Variants: report (HTML)"},
            {"href": f"./{KEY}/record", "title": "Variants: run record (JSON)"},
        ],
    }
    _show_preparing(web_ui, tab_data)
    _show_goodput(web_ui)
    web_ui.app.register_blueprint(_routes(web_ui, base, tab_data, find_record))
    web_ui.app.after_request(lambda response: _extend(response, tab_data, web_ui.environment.runner.state))


def _state(reported: str, tab_data: TabData) -> str:
    """Locust's state for the page: while data load it must not be `ready`, or the page would return to its form.

    Nor may the page offer a start while the last run is still being written; and it asks only while a run is active, so
    that it would show `stopping` for ever.
    """
    if reported in (STATE_STOPPING, STATE_CLEANUP) or (tab_data.is_ending and reported == STATE_STOPPED):
        return str(STATE_RUNNING)
    return STATE_SPAWNING if tab_data.is_busy and reported in (STATE_INIT, STATE_STOPPED) else reported


def _show_preparing(web_ui: Any, tab_data: TabData) -> None:
    """Prevent a page opened while data load from offering a start."""

    def show(arguments: dict[str, Any]) -> None:
        arguments["state"] = _state(arguments["state"], tab_data)

    extend_template(web_ui, show)


def _show_goodput(web_ui: Any) -> None:
    """Add the column of goodput for a page that is opened while an objective is set."""

    def show(arguments: dict[str, Any]) -> None:
        is_judged = bool(str(getattr(web_ui.environment.parsed_options, "objective", None) or "").strip())
        for table in arguments.get("extended_tables", ()):
            if table["key"] == KEY:
                own = [column for column in table["structure"] if column != GOODPUT]
                table["structure"] = [*own, GOODPUT] if is_judged else own

    extend_template(web_ui, show)


def _routes(web_ui: Any, base: str, tab_data: TabData, find_record: FindRecord) -> Blueprint:
    routes = Blueprint("loadgen", __name__, url_prefix=base or None, static_folder="static", static_url_path=f"/{KEY}")

    def now() -> Any:
        return jsonify(tab_data.now_as_json())

    def data() -> Any:
        record = find_record()
        files = {name: path is not None for name, path in (("record", record), ("report", _report(record)))}
        return jsonify(tab_data.as_json() | {"files": files})

    def record() -> Any:
        return send_kept(find_record(), "No run record: no phase has ended yet, or --record is empty.")

    def report() -> Any:
        return send_kept(_report(find_record()), "No report yet: it is written at the end of a run.")

    def is_busy() -> bool:
        return (
            tab_data.is_busy or tab_data.is_ending or web_ui.environment.runner.state not in (STATE_INIT, STATE_STOPPED)
        )

    for view in (now, data, record, report):
        routes.add_url_rule(f"/{KEY}/{view.__name__}", view.__name__, web_ui.auth_required_if_enabled(view))

    def find_folder() -> str:
        return str(getattr(web_ui.environment.parsed_options, "record", None) or "")

    add_record_routes(routes, KEY, web_ui.auth_required_if_enabled, find_folder, is_busy)
    return routes


def _report(record: Path | None) -> Path | None:
    path = record.with_suffix(".html") if record else None
    return path if path and path.is_file() else None


def _extend(response: Response, tab_data: TabData, state: str) -> Response:
    """Add our rows to Locust's statistics, and our script to its page.

    Locust caches an answer for two seconds; `state` is always current.
    """
    if request.endpoint == "locust.request_stats" and response.is_json:
        rows = table_rows(tab_data.levels)
        given = response.get_json()
        others = [one for one in given.get("extended_stats", ()) if one["key"] != KEY]
        extended = {"extended_stats": [*others, {"key": KEY, "data": rows}], "state": _state(state, tab_data)}
        response.set_data(json.dumps(given | extended))
    elif request.endpoint == "locust.index" and response.mimetype == "text/html":
        styles = "".join(f'<link rel="stylesheet" href="./{KEY}/{name}.css">' for name in STYLES)
        scripts = "".join(f'<script type="module" src="./{KEY}/{name}.js"></script>' for name in SCRIPTS)
        added = styles + scripts
        response.set_data(response.get_data(as_text=True).replace("</body>", f"{added}</body>"))
    return response
