"""A replaying server that keeps one reply for each list of output fields, so that variants with others share it."""

import argparse
import asyncio
from typing import Any

from pymilvus.grpc_gen import milvus_pb2

from loadgen.milvus.server.replay import Answer, Replay, ReplayServer, _loop_factory, add_flags, is_good, serve


class FieldsReplay(Replay):
    """Replays searches by their output fields; that costs the server a look into each."""

    def _replaying(self, method: str, path: str) -> Answer:
        if method != "Search":
            return super()._replaying(method, path)
        forward = self._forwarding(path)
        kept: dict[tuple[str, ...], bytes] = {}

        async def replay(request: bytes, context: Any) -> bytes:
            fields = tuple(milvus_pb2.SearchRequest.FromString(request).output_fields)
            if fields not in kept:
                answer = await forward(request, context)
                if not is_good(method, answer):
                    return answer
                kept[fields] = answer
            return kept[fields]

        return replay


class FieldsReplayServer(ReplayServer):
    """The same in a process of its own."""

    MODULE = "tests.benchmarks.fields_replay"


def main() -> None:
    """`python -m tests.benchmarks.fields_replay --upstream 127.0.0.1:19530 --port 0`."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.fields_replay")
    add_flags(parser)
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve(given, lambda upstream: FieldsReplay(upstream, given.methods)))


if __name__ == "__main__":
    main()
