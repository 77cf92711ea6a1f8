"""How much too early gRPC ends a call whose timeout is in a channel's service config, and how to compensate.

gRPC's core adds such a timeout to a time that it has from a counter of the process, and compares the sum with one from
the system's clock; in each process the two count from moments that are 1 to 2 s apart (seen in grpcio 1.85). So a call
ends that much too early, and one with a shorter timeout immediately, unsent. A timeout passed with the call is correct,
but costs the async client an `asyncio.wait_for` each time.
"""

import contextlib
import json
import socket
from functools import cache
from time import perf_counter

import grpc

PROBE_SECONDS = 2.0
"""Timeout of the measured call: the maximum shortfall. The call takes the remainder."""


@cache
def find_shortfall() -> float:
    """Seconds by which calls of this process end too early; 0 if gRPC is correct. Blocks once, for 2 s at most."""
    config = json.dumps({"methodConfig": [{"name": [{}], "timeout": f"{PROBE_SECONDS}s"}]})
    options = [("grpc.service_config", config), ("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connections are accepted and never answered
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with grpc.insecure_channel(address, options=options) as channel:
            begun = perf_counter()
            with contextlib.suppress(grpc.RpcError):
                channel.unary_unary("/loadgen.Probe/Ask")(b"", wait_for_ready=True, timeout=2 * PROBE_SECONDS)
            return max(0.0, PROBE_SECONDS - (perf_counter() - begun))


def as_timeout(seconds: float) -> str:
    """The timeout for a service config with which a call of this process ends after the given seconds."""
    return f"{seconds + find_shortfall():.6f}s"
