"""What the server is, how it is reached, and whether the collection is ready."""

import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from loadgen.cli.doctor.finding import CheckStatus, Finding, from_faults
from loadgen.settings.faults import SettingsError

if TYPE_CHECKING:
    from loadgen.milvus.store import ServerInfo
    from loadgen.settings.model import Settings

TRIES = 5
CONNECT_SECONDS = 3.0
FAR_SECONDS = 0.005
"""A round trip that is a good part of a search's time."""
CLOCK_SECONDS = 1.0
"""Clocks further apart than this make bounded staleness mean something else than it says."""
TESTED = ("2.3", "2.4", "2.5", "2.6")


def list_addresses() -> set[str]:
    """All addresses of this machine."""
    import psutil

    return {one.address.partition("%")[0] for some in psutil.net_if_addrs().values() for one in some}


def check_place(host: str, local: set[str]) -> Finding:
    """Whether the server is on this machine, whose addresses are `local`. Resolves the name."""
    from loadgen.milvus.proxies import is_at_loopback
    from loadgen.settings.addresses import split_address

    name, port = split_address(host)
    try:
        result = {str(one[4][0]) for one in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)}
    except OSError as error:
        text = f"{name} has no address ({error.strerror or error})"
        return Finding("place", CheckStatus.BAD, text, "Check --host and the name server.")
    if is_at_loopback(host) or result & local:
        remedy = "Figures are of both together; for those of a cluster run the generator on another machine."
        return Finding("place", CheckStatus.NOTE, "the server runs on this machine and shares its cores", remedy)
    return Finding("place", CheckStatus.OK, f"{name} is another machine ({', '.join(sorted(result))})")


def check_distance(host: str) -> Iterator[Finding]:
    """How long a TCP connection takes to be made, which is one round trip. Nothing if none can be made."""
    from loadgen.settings.addresses import split_address

    times = []
    for _ in range(TRIES):
        started = time.perf_counter()
        try:
            with closing(socket.create_connection(split_address(host), CONNECT_SECONDS)):
                times.append(time.perf_counter() - started)
        except OSError:
            return  # `check_server` finds the words for it
    seconds = statistics.median(times)
    text = f"a round trip takes {seconds * 1000:.2f} ms"
    if seconds > FAR_SECONDS:
        remedy = "It is part of every latency: run the generator where your service runs."
        yield Finding("distance", CheckStatus.NOTE, text, remedy)
    else:
        yield Finding("distance", CheckStatus.OK, text)


def check_encryption(settings: "Settings") -> Finding:
    """Whether a token travels in the clear."""
    from loadgen.milvus.proxies import is_at_loopback

    if settings.host.lower().startswith("https:") or settings.ca_file or settings.server_cert_file:
        return Finding("encryption", CheckStatus.OK, "TLS")
    if settings.token.get_secret_value() and not is_at_loopback(settings.host):
        return Finding(
            "encryption", CheckStatus.NOTE, "the token is sent without TLS", "Use https:// if the server has it."
        )
    return Finding("encryption", CheckStatus.OK, "none, and no token leaves this machine")


def check_milvus(settings: "Settings") -> tuple["ServerInfo | None", list[Finding]]:
    """Whether a Milvus answers and accepts the token, and its version. None with the reason if not."""
    from loadgen.milvus.store import check_server

    try:
        server = check_server(settings)
    except SettingsError as error:
        return None, list(from_faults("server", error.faults))
    if server.kind == "lite":
        remedy = "It gives correct answers slowly: fine for a try, not for figures."
        return server, [Finding("server", CheckStatus.NOTE, f"Milvus Lite {server.version}", remedy)]
    if not server.version.lstrip("v").startswith(TESTED):
        text = f"{server} answers; this tool was tested with {', '.join(TESTED)}"
        remedy = "Try it with a short run first, and check the recall in its table."
        return server, [Finding("server", CheckStatus.NOTE, text, remedy)]
    return server, [Finding("server", CheckStatus.OK, f"{server} answers and accepts the credentials")]


def look_at_clock(settings: "Settings") -> Finding:
    """The server's clock, asked for now; bad if the server fails meanwhile."""
    from loadgen.milvus.store import StoreError, read_clock

    try:
        there = read_clock(settings)
    except StoreError as error:
        return Finding("clock", CheckStatus.BAD, str(error))
    return check_clock(there, time.time())


def check_clock(there: float | None, here: float) -> Finding:
    """The server's clock beside this machine's, both in seconds since 1970; `there` is None if it has none."""
    if there is None:
        return Finding("clock", CheckStatus.OK, "the server does not tell its time")
    apart = there - here
    text = f"the server's clock is {abs(apart):.2f} s {'ahead' if apart > 0 else 'behind'}"
    if abs(apart) > CLOCK_SECONDS:
        return Finding(
            "clock", CheckStatus.NOTE, text, "Synchronise both (NTP): times of records and dashboards differ."
        )
    return Finding("clock", CheckStatus.OK, text)


def check_collection(settings: "Settings") -> Iterator[Finding]:
    """The collection: ready, if it is the user's own; else whether it is there and is this tool's."""
    from loadgen.locust_plugin.preparation.existing_collections import inspect_existing
    from loadgen.milvus.store import StoreError

    try:
        if not settings.existing:
            yield from _check_own(settings)
            return
        _, result = inspect_existing(settings, lambda _: None, writes=False)
    except SettingsError as error:
        yield from from_faults("collection", error.faults)
    except StoreError as error:
        yield Finding("collection", CheckStatus.BAD, str(error))
    else:
        for name, info in result.items():
            what = f"{info['rows']:,} rows, {info['dim']} dimensions, {info['index_type']} with {info['metric']}"
            yield Finding("collection", CheckStatus.OK, f"{name} is loaded and indexed: {what}")


def _check_own(settings: "Settings") -> Iterator[Finding]:
    from loadgen.milvus.store import look_at_own

    name, result = settings.collection, look_at_own(settings)
    if result is None:
        text = f"{name} does not exist: the first run creates it with {settings.rows:,} rows"
        yield Finding("collection", CheckStatus.OK, text)
    elif result.manifest is not None:
        yield Finding("collection", CheckStatus.OK, f"{name} was made by this tool; a run with the same data reuses it")
    else:
        remedy = "Measure it as it is with --existing, or name another --collection."
        yield Finding("collection", CheckStatus.BAD, f"{name} exists and was not made by this tool", remedy)
