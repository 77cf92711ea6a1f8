"""`python -m tests.benchmarks.llm`: what a request costs the simulated LLM server, and how late it is, in seconds.

The server answers without delays to one bare connection, so that its CPU time per request is its own cost; then it
streams on a schedule to several connections, and its own counts tell how late its tokens were.
"""

import argparse
import json
import threading
from collections.abc import Callable, Mapping
from functools import partial
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import psutil
from rich.console import Console
from rich.table import Table

from loadgen.llm_server import Behaviour, LlmServer, start_llm_server

TOKENS = 20
TEXT = "Milvus keeps its segments in object storage and its metadata in etcd. " * 20
CHAT: Mapping[str, Any] = {"model": "simulated", "messages": [{"role": "user", "content": TEXT}]}
REQUESTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    f"chat of {TOKENS} tokens, whole": ("chat/completions", CHAT),
    f"chat of {TOKENS} tokens, streamed": ("chat/completions", {**CHAT, "stream": True}),
    "embedding of 1 text, base64": ("embeddings", {"model": "m", "input": TEXT, "encoding_format": "base64"}),
    "embedding of 1 text, floats": ("embeddings", {"model": "m", "input": TEXT}),
    "embedding of 32 texts, base64": ("embeddings", {"model": "m", "input": [TEXT] * 32, "encoding_format": "base64"}),
}


def send(server: LlmServer, path: str, body: Mapping[str, Any], number: int) -> None:
    """Requests one after the other over one connection."""
    connection = HTTPConnection(urlsplit(server.root).netloc, timeout=60)
    for _ in range(number):
        connection.request("POST", f"/v1/{path}", json.dumps(body))
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path} was answered with {answer.status}")
    connection.close()


def measure_cpu(server: LlmServer, action: Callable[[], None]) -> float:
    """Seconds of CPU that the server spends meanwhile."""
    process = psutil.Process(server.pid)
    before = process.cpu_times()
    action()
    after = process.cpu_times()
    return float(after.user + after.system - before.user - before.system)


def show_costs(number: int, console: Console) -> None:
    """The table of CPU times."""
    table = Table("request", "CPU of the server, ms", title=f"{number} requests of each kind, without delays")
    behaviour = Behaviour(first_token="0", inter_token="0", tokens=TOKENS, embedding_delay="0")
    with start_llm_server(behaviour) as server:
        for name, (path, body) in REQUESTS.items():
            send(server, path, body, 20)
            seconds = measure_cpu(server, partial(send, server, path, body, number))
            table.add_row(name, f"{1000 * seconds / number:.2f}")
    console.print(table)


def show_lateness(number: int, console: Console) -> None:
    """The table of how late the server was, by the number of streams."""
    table = Table(
        "streams", "late p50, ms", "p99, ms", "max, ms", title="50 ms to the first of 20 tokens, 5 ms between"
    )
    with start_llm_server(Behaviour(tokens=TOKENS)) as server:
        for streams in (1, 8, 32):
            body = {**CHAT, "stream": True}
            each = max(1, number // 50)
            threads = [
                threading.Thread(target=send, args=(server, "chat/completions", body, each)) for _ in range(streams)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            late = server.counts(reset=True).chat.times["late"]
            table.add_row(str(streams), *(f"{1000 * late[name]:.2f}" for name in ("p50", "p99", "max")))
    console.print(table)


def main() -> None:
    """Measure, then print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.llm", description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=500, help="of each kind [default: %(default)s]")
    given = parser.parse_args()
    console = Console(width=100)
    show_costs(given.requests, console)
    show_lateness(given.requests, console)


if __name__ == "__main__":
    main()
