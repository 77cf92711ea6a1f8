"""A server of models that repeats the caller's key in its errors, as some do."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request, urlopen

GOOD = {"chat": 8, "embeddings": 30}
"""Requests that are passed on before the first error: enough to probe, load and warm up."""


@contextmanager
def repeating_models(upstream: str) -> Iterator[str]:
    """Its URL; passes requests on to a simulated server of models, and then refuses every fourth."""
    seen: Counter[str] = Counter()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            kind = "chat" if "chat" in self.path else "embeddings"
            seen[kind] += 1
            if seen[kind] > GOOD[kind] and seen[kind] % 4 == 0:
                words = f"Incorrect API key provided: {self.headers['authorization'].removeprefix('Bearer ')}."
                self._answer(401, json.dumps({"error": {"message": words, "code": "invalid_api_key"}}).encode())
                return
            url = upstream.removesuffix("/v1") + self.path
            request = Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - on this machine
            with urlopen(request, timeout=20) as answer:  # noqa: S310
                self._answer(200, answer.read())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
