"""A server that answers immediately: a proxy of a real Milvus that replays the first good reply of each operation.

Measurements against it cover only the client, with replies of a real server. Everything except the replayed
operations is forwarded to the Milvus behind it, with unchanged bytes and metadata.
"""

import argparse
import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterable
from importlib.util import find_spec
from typing import Any, Self
from urllib.parse import urlsplit

import grpc
import grpc.aio
from pymilvus.grpc_gen import milvus_pb2

from loadgen.milvus.proxies import channel_options
from loadgen.milvus.server.errors import ServerError

REPLIES: dict[str, Any] = {
    "Search": milvus_pb2.SearchResults,
    "HybridSearch": milvus_pb2.SearchResults,
    "Query": milvus_pb2.QueryResults,
    "Insert": milvus_pb2.MutationResult,
    "Upsert": milvus_pb2.MutationResult,
    "Delete": milvus_pb2.MutationResult,
}
"""RPCs that can be replayed, and their reply types."""
REPLAYED = ("Search", "HybridSearch", "Insert", "Upsert", "Delete")
"""Replayed by default. Not Query: preparing a collection counts its rows with it."""
OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),
)
SECONDS_TO_START = 30.0
SECONDS_TO_END = 5.0
Answer = Callable[[bytes, Any], Awaitable[bytes]]


class Replay(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers every method. One reply is kept for each replayed method, so `kept` cannot grow beyond those.

    A reply that contains an error, and a failed RPC, are forwarded and not kept.
    """

    def __init__(self, upstream: grpc.aio.Channel, methods: Iterable[str] = REPLAYED) -> None:
        self._upstream = upstream
        self._first = {method: asyncio.Lock() for method in methods}
        self._answers: dict[str, Any] = {}
        self.kept: dict[str, bytes] = {}

    def service(self, handler_call_details: Any) -> Any:
        """The handler for one call, as gRPC requests it."""
        path = handler_call_details.method
        return self._answers.get(path) or self._answers.setdefault(path, self._answer_for(path))

    def _answer_for(self, path: str) -> Any:
        method = path.rpartition("/")[2]
        answer = self._replaying(method, path) if method in self._first else self._forwarding(path)
        return grpc.unary_unary_rpc_method_handler(answer)

    def _replaying(self, method: str, path: str) -> Answer:
        forward = self._forwarding(path)

        async def replay(request: bytes, context: Any) -> bytes:
            reply = self.kept.get(method)
            if reply is not None:
                return reply
            async with self._first[method]:
                if method not in self.kept:
                    answer = await forward(request, context)
                    if not is_good(method, answer):
                        return answer
                    self.kept[method] = answer
            return self.kept[method]

        return replay

    def _forwarding(self, path: str) -> Answer:
        call = self._upstream.unary_unary(path)

        async def forward(request: bytes, context: Any) -> bytes:
            try:
                reply: bytes = await call(request, metadata=passed_on(context.invocation_metadata()))
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details() or "", error.trailing_metadata() or ())
                raise  # never reached: abort raises
            return reply

        return forward


def is_good(method: str, reply: bytes) -> bool:
    """Whether a reply reports success."""
    status = REPLIES[method].FromString(reply).status
    return not status.code and not status.error_code


def passed_on(metadata: Iterable[tuple[str, str | bytes]] | None) -> tuple[tuple[str, str | bytes], ...]:
    """The metadata of a call, without the headers that gRPC writes per connection."""
    return tuple((key, value) for key, value in metadata or () if key != "user-agent" and not key.startswith("grpc-"))


class ReplayServer:
    """A replaying server in a separate process; `uri` is for clients. It ends with the process that started it.

    That process has the only write end of a pipe, which the system closes however it ends. `upstream` is an address
    without TLS, such as http://127.0.0.1:19530. Raises ServerError if the server does not come up.
    """

    MODULE = "loadgen.milvus.server.replay"
    STDIN = subprocess.DEVNULL

    def __init__(self, upstream: str, methods: Iterable[str] = REPLAYED) -> None:
        address = urlsplit(upstream).netloc or upstream
        heard, self._line = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the command is this package's own
                [
                    *(sys.executable, "-m", self.MODULE, "--upstream", address, "--port", "0"),
                    *("--methods", ",".join(methods), "--line", str(heard)),
                ],
                stdin=self.STDIN,
                stdout=subprocess.PIPE,
                start_new_session=True,
                pass_fds=(heard,),
            )
        finally:
            os.close(heard)
        reported = self._hear()
        if not reported.isdecimal():
            self.stop()
            raise ServerError(f"the replaying server before {address} did not start; see its output above")
        self.uri = f"http://127.0.0.1:{reported}"

    def _hear(self) -> str:
        """The line that the server prints when it listens; empty if it ends first or is too slow."""
        out = self._process.stdout
        if out is None or not select.select([out], [], [], SECONDS_TO_START)[0]:
            return ""
        return out.readline().decode().strip()

    @property
    def running(self) -> bool:
        """True until the server ends."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def stop(self) -> None:
        """End the server and wait for it; idempotent."""
        if self._line < 0:
            return
        os.close(self._line)
        self._line = -1
        try:
            self._process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdout, self._process.stdin):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Self:
        """Return the running server."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.stop()


async def serve(given: argparse.Namespace, make: Callable[[grpc.aio.Channel], Replay]) -> None:
    """Serve until the line ends or a signal arrives; prints the port once it listens."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    if given.line is not None:
        loop.add_reader(given.line, over.set)
    options = (*OPTIONS, *channel_options(given.upstream).items())
    async with grpc.aio.insecure_channel(given.upstream, options=options) as upstream:
        server = grpc.aio.server(options=OPTIONS)
        server.add_generic_rpc_handlers((make(upstream),))
        port = server.add_insecure_port(f"127.0.0.1:{given.port}")
        await server.start()
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.write(f"{port}\n")
            sys.stdout.flush()
        await over.wait()
        await server.stop(None)


def _methods(text: str) -> tuple[str, ...]:
    methods = tuple(part for part in text.split(",") if part)
    if unknown := [method for method in methods if method not in REPLIES]:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)} cannot be replayed; choose from {', '.join(REPLIES)}")
    return methods


def main() -> None:
    """`python -m loadgen.milvus.server.replay --upstream 127.0.0.1:19530 --port 0`."""
    parser = argparse.ArgumentParser(prog="loadgen.milvus.server.replay", description=__doc__.splitlines()[0])
    add_flags(parser)
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve(given, lambda upstream: Replay(upstream, given.methods)))


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of every replaying server."""
    parser.add_argument("--upstream", required=True, help="host:port of the Milvus that makes the replies")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 is a free one, which is printed")
    parser.add_argument("--methods", type=_methods, default=REPLAYED, help="RPCs to replay, with commas")
    parser.add_argument("--line", type=int, help="file descriptor; its end is the end of this server")


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """The faster loop if uvloop is installed: a quarter more replies a second."""
    if find_spec("uvloop") is None:
        return asyncio.new_event_loop
    import uvloop

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


if __name__ == "__main__":
    main()
