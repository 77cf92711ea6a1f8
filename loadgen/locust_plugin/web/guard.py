"""Requests that another web site makes through somebody's browser: they change nothing here."""

from typing import Any
from urllib.parse import urlsplit

from flask import request

GUARDED = ("locust", "loadgen")
"""Blueprints of Locust's routes and of ours. A locustfile's own may be meant for others, such as a login elsewhere."""
READING = ("GET", "HEAD", "OPTIONS")
CHANGING = ("locust.swarm", "locust.stop", "locust.reset_stats", "locust.update_user")
"""Routes of Locust's that change something, whatever method they take."""
OWN_SITES = ("same-origin", "none")
"""What a browser says of a request from this page, and of one that a person made without any page."""
PORTS = {"http": 80, "https": 443}
REFUSED = "This came from another site and was refused. Start from the page itself."


def add_guard(app: Any) -> None:
    """Refuse such requests with 403, before anything else looks at them. What is no browser is not concerned."""

    def before_request() -> Any:
        if request.blueprint not in GUARDED or (request.method in READING and request.endpoint not in CHANGING):
            return None
        return None if is_own(request.headers, request.host) else ({"success": False, "message": REFUSED}, 403)

    app.before_request(before_request)


def is_own(headers: Any, host: str) -> bool:
    """Whether a request comes from a page of this very host, or from no browser.

    `Sec-Fetch-Site` is set by the browser, and valid behind a proxy that changes the host, too. Browsers
    leave it out on plain HTTP; there the `Origin` has to have the host that was asked. Command lines send neither.
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
    """Host and port of an origin; None for one that has none, such as `null`."""
    try:
        parts = urlsplit(origin)
        port = parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname and port else None
