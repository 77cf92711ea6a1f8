"""What Locust's web page needs to show and start a run of ours."""

from collections.abc import Callable
from typing import Any

from flask import request

from loadgen.faults import SettingsError
from loadgen.plugin.arguments import MASK


def dress_page(web_ui: Any, environment: Any, arrange: Callable[[str], None]) -> None:
    """Keep the token out of the page, and arrange users and phases for the mode that its form asks for."""
    original = web_ui.update_template_args

    def update_template_args() -> None:
        original()
        option = web_ui.template_args.get("extra_options", {}).get("token")
        if option and option["default_value"]:
            option["default_value"] = MASK

    def before_swarm() -> Any:
        if request.method != "POST" or not request.path.endswith("/swarm"):
            return None
        try:
            arrange(request.form.get("mode", environment.parsed_options.mode))
        except SettingsError as error:
            return {"success": False, "message": str(error), "host": environment.host}
        return None

    web_ui.update_template_args = update_template_args
    web_ui.app.before_request(before_swarm)
