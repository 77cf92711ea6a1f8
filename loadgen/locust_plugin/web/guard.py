"""Protection against cross-site requests: they change nothing here."""

from typing import Any
from urllib.parse import urlsplit

from flask import request

GUARDED = ("locust", "loadgen", "loadgen_form")
"""Blueprints of Locust's routes and ours. A locustfile's may accept other sites, such as an external login."""
OURS = ("loadgen", "loadgen_form")
"""Blueprints whose answers other sites may not read, although Locust allows that for its own (CORS)."""
READING = ("GET", "HEAD", "OPTIONS")
CHANGING = ("locust.swarm", "locust.stop", "locust.reset_stats", "locust.update_user")
"""Locust's routes that change state, whatever their method."""
OWN_SITES = ("same-origin", "none")
"""Values of `Sec-Fetch-Site` for a request from this page, and for one typed by the user."""
PORTS = {"http": 80, "https": 443}
REFUSED = "Refused: this request came from another site. Start from the page itself."


def add_guard(app: Any) -> None:
    """Refuse such requests with 403, before any other handler. Clients other than browsers are not affected."""

    def before_request() -> Any:
        is_reading = request.method in READING and request.endpoint not in CHANGING
        if request.blueprint not in GUARDED or (is_reading and not _is_private(request)):
            return None
        return None if is_own(request.headers, request.host) else ({"success": False, "message": REFUSED}, 403)

    app.before_request(before_request)


def _is_private(asked: Any) -> bool:
    """Whether other sites may not read the answer. They may link to it: they cannot read a page that is opened."""
    is_opened = asked.headers.get("Sec-Fetch-Mode") == "navigate"
    return asked.blueprint in OURS and asked.endpoint != "loadgen.static" and not is_opened


def is_own(headers: Any, host: str) -> bool:
    """Whether a request was sent by a page of this host, or not by a browser.

    `Sec-Fetch-Site` is set by the browser, and is valid even behind a proxy that changes the host. Browsers omit it on
    plain HTTP; there the `Origin` must match the requested host. Command-line clients send neither.
    """
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in OWN_SITES
    origin = headers.get("Origin")
    if origin is None:
        return True
    place = _place(origin)
    return place is not None and place == _place(f"{origin.partition('://')[0]}://{host}")


def _place(origin: str) -> tuple[str, int] | None:
    """Host and port of an origin; None if it has none, such as `null`."""
    try:
        parts = urlsplit(origin)
        port = parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname and port else None
