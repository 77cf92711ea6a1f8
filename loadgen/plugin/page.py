"""What Locust's web page needs to show and start a run of ours."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import request

from loadgen.faults import SettingsError
from loadgen.plugin.arguments import MASK
from loadgen.settings import Settings

SECTIONS = {
    "host": "server", "collection": "collection", "rows": "data", "top_k": "operations", "mode": "run",
    "record": "result", "metrics_port": "metrics",
}  # fmt: skip
"""The first setting of each group, as the model and the README's table have them, and the group's name."""


def dress_page(web_ui: Any, arrange: Callable[[Mapping[str, object]], object]) -> None:
    """Keep the token out of the page, and check what its form asks for before anything starts.

    `arrange` is called with the form's settings and raises SettingsError where they are wrong: then Locust's own
    handler, which would take them over, is not reached.
    """
    original = web_ui.update_template_args

    def update_template_args() -> None:
        original()
        arguments = web_ui.template_args
        arguments["hide_common_options"] = False  # the form may ask for a mode that takes Locust's own users and rate
        for name, option in arguments.get("extra_options", {}).items():
            _dress_field(name, option)
        if arguments.get("extra_options", {}).get("token", {}).get("default_value"):
            arguments["extra_options"]["token"]["default_value"] = MASK

    def before_swarm() -> Any:
        if request.method != "POST" or not request.path.endswith("/swarm"):
            return None
        try:
            arrange(_asked(request.form))
        except SettingsError as error:
            return {"success": False, "message": str(error)}
        return None

    # The fields come in the model's order, group by group; Jinja would sort them by the alphabet.
    web_ui.app.jinja_env.policies["json.dumps_kwargs"] = {"sort_keys": False}
    web_ui.update_template_args = update_template_args
    web_ui.app.before_request(before_swarm)


def _dress_field(name: str, option: dict[str, Any]) -> None:
    """Name the group of a field: Locust's form has no headings, and shows a field's name and help only.

    A whole number gets a field of that type; not one with a fraction, which a browser would hold to whole steps.
    """
    option["help_text"] = (option["help_text"] or "").replace("%%", "%")
    field = Settings.model_fields.get(name)
    if field is None:
        return
    option["help_text"] = f"{find_section(name)}: {option['help_text']}"
    if field.annotation is int:
        option["type"] = "number"


def find_section(name: str) -> str:
    """The group of a setting, such as `data`."""
    found = ""
    for setting in Settings.model_fields:
        found = SECTIONS.get(setting, found)
        if setting == name:
            break
    return found


def _asked(form: Mapping[str, str]) -> dict[str, object]:
    """The settings in a form; a switch is `true` or anything else, as Locust reads it."""
    switches = {name for name, field in Settings.model_fields.items() if field.annotation is bool}
    return {
        name: form[name] == "true" if name in switches else form[name] for name in Settings.model_fields if name in form
    }
