"""Milvus's own view: a few of its Prometheus series, read before and after a phase.

Names and labels from Milvus's source (pkg/metrics); those of 2.3.5 were seen on a server, those of later versions were
not. Times are milliseconds. A series that a version does not have is unknown: 2.3.5 has none of the proxy's queue.
"""

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

from prometheus_client.parser import text_string_to_metric_families

from loadgen.measure.server_view import ServerView
from loadgen.milvus.proxies import is_at_loopback
from loadgen.settings.faults import Fault, SettingsError

SEARCHES = ("search", "hybrid_search", "hybridsearch", "searchtask", "hybridsearchtask")
INSERTS = ("insert", "upsert")
TIMES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "milvus_proxy_sq_latency": ("search", SEARCHES),
    "milvus_proxy_req_in_queue_latency": ("queue", SEARCHES),
    "milvus_proxy_sq_wait_result_latency": ("wait", SEARCHES),
    "milvus_proxy_sq_reduce_result_latency": ("reduce", SEARCHES),
    "milvus_proxy_sq_decode_result_latency": ("decode", SEARCHES),
    "milvus_querynode_sq_queue_latency": ("node_queue", SEARCHES),
    "milvus_querynode_sq_core_latency": ("node_search", SEARCHES),
    "milvus_proxy_mutation_latency": ("insert", INSERTS),
}
"""Histograms: what each is here, and the requests that count, by the label that names them."""
KINDS = ("query_type", "msg_type", "function_name")
COUNTS = {"milvus_proxy_req_count": "failed", "milvus_proxy_rate_limit_req_count": "rate_limited"}
"""Counters of which the status `fail` counts; of the requests that a load consists of."""
REQUESTS = (*SEARCHES, *INSERTS, "delete", "query", "dqlsearch", "dqlquery", "dmlinsert", "dmldelete", "dmlupsert")
CPU, MEMORY = "process_cpu_seconds_total", "process_resident_memory_bytes"
NAMES = (*TIMES, *COUNTS, CPU, MEMORY)
PER_MILLISECOND = 1e-3
TIMEOUT = 3.0
"""Seconds."""
LARGEST = 16 * 2**20
"""Bytes of an answer: Milvus's are some hundred KB."""

logger = logging.getLogger("loadgen")


@dataclass(frozen=True, slots=True)
class MetricsSnapshot:
    """All counts at one moment, summed over the addresses."""

    at: float
    counts: Mapping[str, float]


class ServerMetrics:
    """Reads the metrics at some addresses, such as http://milvus:9091/metrics. Every method blocks for some seconds."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = tuple(urls)
        self._last: MetricsSnapshot | None = None
        self._warned = False

    def check(self) -> None:
        """Raises SettingsError, with a fault for each address that has no metrics of Milvus."""
        faults = [
            Fault(
                "server_metrics",
                url,
                problem,
                "Give the address of Milvus's metrics, such as http://HOST:9091/metrics.",
            )
            for url, problem in zip(self._urls, self._map(_find_problem), strict=True)
            if problem
        ]
        if faults:
            raise SettingsError(faults)

    def take(self) -> ServerView | None:
        """What was done since the previous look; None without one, or if an address does not answer."""
        before, self._last = self._last, self._look()
        return compare(before, self._last) if before is not None and self._last is not None else None

    def _look(self) -> MetricsSnapshot | None:
        if not self._urls:
            return None
        counts: dict[str, float] = {}
        try:
            for text in self._map(_fetch):
                for key, value in count(text):
                    counts[key] = counts.get(key, 0.0) + value
        except (OSError, ValueError) as error:
            if not self._warned:
                logger.warning("The server's metrics cannot be read (%s); its own view is missing", error)
                self._warned = True
            return None
        return MetricsSnapshot(perf_counter(), counts)

    def _map(self, work: Callable[[str], str]) -> list[str]:
        with ThreadPoolExecutor(max_workers=max(1, len(self._urls))) as pool:
            return list(pool.map(work, self._urls))


def count(text: str) -> Iterator[tuple[str, float]]:
    """The counts in the text of a scrape, by what they are here; histograms as `.sum` and `.count`.

    Only the lines that matter are parsed, of some thousands. Raises ValueError for a text that is none.
    """
    lines = [line for line in text.splitlines() if line.startswith(NAMES) and "_bucket{" not in line]
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        for sample in family.samples:
            kind = next((sample.labels[label].lower() for label in KINDS if label in sample.labels), "")
            stem, _, suffix = sample.name.rpartition("_")
            if suffix in ("sum", "count") and stem in TIMES:
                name, kinds = TIMES[stem]
                if kind in kinds:
                    yield f"{name}.{suffix}", sample.value
            elif sample.name in COUNTS and kind in REQUESTS and sample.labels.get("status") == "fail":
                yield COUNTS[sample.name], sample.value
            elif sample.name in (CPU, MEMORY):
                yield sample.name, sample.value


def compare(before: MetricsSnapshot, after: MetricsSnapshot) -> ServerView:
    """What happened between two looks. Of a server that was restarted in between the times are unknown."""
    seconds = after.at - before.at
    change = {key: value - before.counts.get(key, 0.0) for key, value in after.counts.items()}

    def number(key: str) -> int:
        return max(0, round(change.get(key, 0.0)))

    def mean(name: str) -> float:
        done, took = change.get(f"{name}.count", 0.0), change.get(f"{name}.sum", 0.0)
        return took / done * PER_MILLISECOND if done > 0 and took >= 0 else math.nan

    cpu = change.get(CPU, math.nan)
    return ServerView(
        seconds=seconds,
        searches=number("search.count"),
        inserts=number("insert.count"),
        failed=number("failed"),
        rate_limited=number("rate_limited"),
        cores=cpu / seconds if cpu >= 0 and seconds > 0 else math.nan,
        memory=after.counts.get(MEMORY, math.nan),
        **{name: mean(name) for name, _ in TIMES.values()},
    )


def _fetch(url: str) -> str:
    """The text at an address; proxies are never used for loopback. Raises OSError."""
    opener = build_opener(ProxyHandler({})) if is_at_loopback(url) else build_opener()
    try:
        with opener.open(Request(url), timeout=TIMEOUT) as answer:  # noqa: S310 - its scheme was checked
            return str(answer.read(LARGEST).decode(errors="replace"))
    except URLError as error:
        raise OSError(f"{url}: {error.reason}") from None
    except OSError as error:
        raise OSError(f"{url}: {error}") from None


def _find_problem(url: str) -> str:
    """Why an address cannot be used; empty if it can."""
    try:
        text = _fetch(url)
    except (OSError, ValueError) as error:
        return f"does not answer ({str(error).removeprefix(f'{url}: ')})"
    return "" if any(line.startswith("milvus_") for line in text.splitlines()) else "has no metrics of Milvus"
