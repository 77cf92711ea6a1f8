"""Extensions of Locust's web page to show and start our runs."""

import logging
from typing import Any

from flask import Blueprint, jsonify, request
from werkzeug.datastructures import ImmutableMultiDict

from loadgen.locust_plugin.command_line.locust_flags import LOOPBACK
from loadgen.locust_plugin.patches import extend_template, list_fields_once, wrap_view
from loadgen.locust_plugin.preparation.run_request import RunRequest
from loadgen.locust_plugin.web.form import as_field
from loadgen.locust_plugin.web.guard import add_guard
from loadgen.locust_plugin.web.start_form import describe_form, place_faults
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import CREDENTIALS, Settings, is_set_on_page

SECTIONS = {
    "host": "server", "collection": "collection", "dataset": "data", "top_k": "operations", "mode": "run",
    "record": "result", "metrics_port": "metrics",
}  # fmt: skip
"""The first setting of each group, in the order of the model, and the group's name."""
AT_THE_START = " (set when the process starts)"

logger = logging.getLogger("loadgen")


def dress_page(web_ui: Any, asking: RunRequest) -> None:
    """Keep credentials out of the page, and check each post: its origin, its login, and then its contents.

    A refused form never reaches Locust's own handler, which would apply it field by field.
    """
    # Fields are in the order of the model, group by group; Jinja would sort them alphabetically.
    web_ui.app.jinja_env.policies["json.dumps_kwargs"] = {"sort_keys": False}
    add_guard(web_ui.app)
    list_fields_once()
    _dress_template(web_ui, asking)
    web_ui.app.register_blueprint(_form_route(web_ui, asking))
    wrap_view(web_ui, "locust.swarm", lambda start: _checked_start(web_ui, asking, start))
    wrap_view(web_ui, "locust.update_user", lambda edit: _checked_edit(asking, edit))
    options = web_ui.environment.parsed_options
    if options.web_host == LOOPBACK and not options.web_login:
        logger.info("The page has no login, so it listens on %s only; --web-host '*' opens it to all", LOOPBACK)


def _form_route(web_ui: Any, asking: RunRequest) -> Blueprint:
    """The contents of our start form, read whenever it is shown."""
    options = web_ui.environment.parsed_options
    routes = Blueprint("loadgen_form", __name__, url_prefix=options.web_base_path or None)

    def form() -> Any:
        web_ui.update_template_args()
        sections = {name: find_section(name) for name in Settings.model_fields}
        bursts = any(getattr(kind, "style", "") for kind in asking.everyone)
        return jsonify(describe_form(web_ui.template_args, options, sections) | {"bursts": bursts})

    routes.add_url_rule("/variants/form", "form", web_ui.auth_required_if_enabled(form))
    return routes


def _checked_start(web_ui: Any, asking: RunRequest, start: Any) -> Any:
    """Locust's handler of a start, after our check; no effect if either refuses."""

    def swarm() -> Any:
        try:
            left = asking.take(request.form, web_ui.template_args.get("extra_options", {}))
        except SettingsError as error:
            return {"success": False, "message": str(error), "faults": place_faults(error)}
        request.form = ImmutableMultiDict(left)  # all fields that Locust may write into its options
        started = False
        try:
            answer = web_ui.app.make_response(start())
            started = bool((answer.get_json(silent=True) or {}).get("success"))
        finally:
            if not started:
                asking.roll_back()
        return answer

    return swarm


def _checked_edit(asking: RunRequest, edit: Any) -> Any:
    """Locust's handler that sets attributes of user classes, while no run uses them."""

    def update_user() -> Any:
        if asking.is_active:
            return {"success": False, "message": "A run is active. Stop it first."}, 409
        return edit()

    return update_user


def _dress_template(web_ui: Any, asking: RunRequest) -> None:
    """Show the current value of every setting, and the mask for a credential."""

    def dress(arguments: dict[str, Any]) -> None:
        arguments |= {"host": asking.host, "missing_host_warning": False}  # None means an embedded server
        arguments["hide_common_options"] = False  # the form may select a mode that uses Locust's own users and rate
        options, masked = vars(web_ui.environment.parsed_options), asking.masked
        for name, option in arguments.get("extra_options", {}).items():
            if name in Settings.model_fields:
                _dress_field(name, option)
                secret = option.get("is_secret") and name in CREDENTIALS
                option["default_value"] = masked.get(name, "") if secret else as_field(name, options.get(name))

    extend_template(web_ui, dress)
    web_ui.update_template_args()


def _dress_field(name: str, option: dict[str, Any]) -> None:
    """Name the group of a field: Locust's form has no headings, only names and help texts.

    Whole numbers get a number field; fractions do not, as a browser would restrict them to whole steps.
    """
    text = (option["help_text"] or "").replace("%%", "%")
    option["help_text"] = f"{find_section(name)}: {text}{'' if is_set_on_page(name) else AT_THE_START}"
    if Settings.model_fields[name].annotation is int:
        option["type"] = "number"


def find_section(name: str) -> str:
    """The group of a setting, such as `data`."""
    section = ""
    for setting in Settings.model_fields:
        section = SECTIONS.get(setting, section)
        if setting == name:
            break
    return section
