"""What Locust's web page needs to show and start a run of ours."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import request

from loadgen.faults import SettingsError
from loadgen.plugin.arguments import MASK
from loadgen.settings import Settings


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
            option["help_text"] = (option["help_text"] or "").replace("%%", "%")
            if name == "token" and option["default_value"]:
                option["default_value"] = MASK

    def before_swarm() -> Any:
        if request.method != "POST" or not request.path.endswith("/swarm"):
            return None
        try:
            arrange(_asked(request.form))
        except SettingsError as error:
            return {"success": False, "message": str(error)}
        return None

    web_ui.update_template_args = update_template_args
    web_ui.app.before_request(before_swarm)


def _asked(form: Mapping[str, str]) -> dict[str, object]:
    """The settings in a form; a switch is `true` or anything else, as Locust reads it."""
    switches = {name for name, field in Settings.model_fields.items() if field.annotation is bool}
    return {
        name: form[name] == "true" if name in switches else form[name] for name in Settings.model_fields if name in form
    }
