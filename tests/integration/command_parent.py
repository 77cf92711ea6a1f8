"""A process that has imported `locust` and `loadgen` once and forks commands; `forked.py` runs it.

It is given the number of a socket. A request is a length, three files, and one JSON object with the arguments,
variables and folder of a command. The command is forked twice, so that it becomes a child of whoever asked, who is a
subreaper for that moment; the answer is its pid. It is then what a `locust` command is after it has replaced itself by
an unpatched process: it leads a session of its own, has these three files and no other, the signals' usual actions,
and its own arguments, variables and folder.
"""

import ctypes
import gc
import importlib
import json
import os
import signal
import socket
import sys
import time
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.corpus.fork_server import LOOK_SECONDS, PREPARED, end_as_interpreter

HOLDER = "tests.integration.lease_holder"
ENTRIES = {"locust": "locust.main", "loadgen": "loadgen.cli.main", HOLDER: HOLDER}
"""What the console scripts call `main` of, and a program of the tests."""
CLIENTS = ("uvloop", "loadgen.clients.llamaindex", "loadgen.clients.pymilvus", "loadgen.clients.wire")
"""What hardly any command does without, although it imports it late."""
RAG = (
    *(f"loadgen.clients.rag.{name}" for name in ("async_client", "sync_client", "connector", "corpora", "built_in")),
    *("openai.resources.chat", "openai.resources.embeddings", "httpx", "httpcore", "h11", "anyio._backends._asyncio"),
    *("llama_index.llms.openai_like", "llama_index.embeddings.openai_like", "llama_index.readers.file"),
    *("nltk", "tiktoken", "tiktoken_ext.openai_public", "tokenizers", "safetensors.numpy"),
)
LATER = {
    ("rag_", "--simulated-url", "--documents", "--embedding"): RAG,
    ("--otlp",): ("loadgen.exporters.otlp.sending", "loadgen.exporters.otlp.sessions"),
}
"""What commands with such arguments import, four seconds long, where no command before them has had it imported."""
PR_SET_PDEATHSIG = 1
HEADER = 8
"""Bytes of a length and of a pid."""


def main() -> None:
    """Fork commands until nobody can ask any more. Returns in a child only where its command does."""
    asking = socket.socket(fileno=int(sys.argv[1]))
    sys.argv = ["locust"]
    os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"
    _import(("locust.main", *PREPARED, *CLIENTS))
    while (asked := _read(asking)) is not None:
        command, files = asked
        for words, names in LATER.items():
            if any(word in argument for word in words for argument in command["arguments"]):
                _import(names)
        between = os.fork()
        if not between:
            own = os.getpid()
            pid = os.fork()
            if pid:
                asking.sendall(pid.to_bytes(HEADER))
                os._exit(0)
            asking.close()
            _end_with_next_parent(own)
            _become(command, files)
            end_as_interpreter(importlib.import_module(ENTRIES[Path(sys.argv[0]).name]).main)
        for file in files:
            os.close(file)
        os.waitpid(between, 0)
        asking.sendall(bytes(HEADER))


def _import(names: Iterable[str]) -> None:
    """Import what is not there yet, for all commands from now on."""
    missing = [name for name in names if name not in sys.modules]
    for name in missing:
        importlib.import_module(name)
    if missing:
        gc.collect()
        gc.freeze()  # no child copies memory only to count who refers to it


def _read(asking: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    head, files, _, _ = socket.recv_fds(asking, HEADER, 3)
    if not head:
        return None
    with asking.makefile("rb", buffering=0) as stream:
        text = b""
        while len(text) < int.from_bytes(head):
            text += stream.read(int.from_bytes(head) - len(text))
    return json.loads(text), files


def _end_with_next_parent(parent: int) -> None:
    """Wait until this process is a child of whoever asked for it, and end with that one, however that goes."""
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _become(command: Mapping[str, Any], files: list[int]) -> None:
    os.setsid()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]
    for known in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(known) not in (signal.SIG_DFL, None):
            signal.signal(known, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # as Python has it
    os.chdir(command["folder"])
    os.environ.clear()
    os.environ.update(command["variables"])
    sys.argv = list(command["arguments"])
    sys.orig_argv = [sys.executable, *sys.argv]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    own = sys.modules["__main__"] = types.ModuleType("__main__")
    own.__file__ = sys.argv[0]
    # A command has its 200,000 objects searched before its load and sets them aside. Here they stay so, as to look at
    # each of them is to copy all memory: half of what a short run costs.
    gc.unfreeze = lambda: None


if __name__ == "__main__":
    main()
