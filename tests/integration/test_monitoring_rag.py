"""A real Prometheus scrapes a run of the RAG path and the simulated model: the dashboard *RAG* has data."""

import socket
from collections.abc import Iterator

import pytest

from loadgen.llm_server import Behaviour, LlmServer, start_llm_server
from loadgen.milvus.server import EmbeddedServer
from tests.integration.locust_command import ROOT
from tests.integration.monitoring_runs import INGESTS, Scraped, find_wrong, scrape
from tests.integration.monitoring_support import Prometheus, fill_in, monitoring, variable_queries

PHASES = ("--concurrency", "4", "--rounds", "1", "--phase-seconds", "7", "--warmup-seconds", "1")
OBJECTIVE = "first_token < 500 ms"


@pytest.fixture(scope="module")
def llm() -> Iterator[LlmServer]:
    with start_llm_server(
        Behaviour(first_token="20ms", inter_token="2ms", tokens=8, errors="503:0.3", seed=3)
    ) as server:
        yield server


@pytest.fixture(scope="module")
def prometheus(
    milvus: EmbeddedServer, llm: LlmServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    assert milvus.metrics_uri
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with monitoring(tmp_path_factory.mktemp("monitoring"), port, milvus.metrics_uri, llm.url) as result:
        yield result


@pytest.fixture(scope="module")
def answered(
    prometheus: Prometheus, milvus: EmbeddedServer, llm: LlmServer, tmp_path_factory: pytest.TempPathFactory
) -> Scraped:
    """Streamed answers and ingests of coroutines."""
    folder = tmp_path_factory.mktemp("answered")
    file = folder / "answers.py"
    file.write_text((ROOT / "locustfiles" / "rag_query.py").read_text() + INGESTS)
    flags = ("--host", milvus.uri, "--collection", "monitoring_rag", "--fresh", "--simulated-url", llm.url)
    load = ("--variants", "async stream=true", *PHASES, "--recall-every", "1")
    judged = ("--objective", OBJECTIVE, "--max-failures", "100%")
    return scrape(prometheus, folder, 0, *flags, *load, *judged, files=str(file))


def test_every_query_of_the_dashboard_rag_has_data_of_answers_and_ingests(answered: Scraped) -> None:
    assert find_wrong(answered, "rag") == {}


def test_failures_that_the_model_counted_are_those_of_the_clients(answered: Scraped) -> None:
    """Counters only grow: the last value is the highest, whichever scrape a busy machine has missed."""
    mine = f'max_over_time(loadgen_run_info{{run_id="{answered.record["run_id"]}"}}[60s])'
    failed = 'max_over_time(loadgen_operations_total{operation="ask", outcome="unavailable"}[60s])'
    counted = f"sum({failed} * on (instance) group_left () {mine})"
    server = 'sum(max_over_time(llm_server_requests_total{kind="chat", outcome="503"}[60s]))'
    failures = answered.prometheus.value(counted, answered.end)
    assert failures == answered.prometheus.value(server, answered.end) > 0


def test_the_model_is_found_by_its_variables(answered: Scraped) -> None:
    result = {}
    for place, selector, label in variable_queries():
        answer = answered.prometheus.get(
            "series", **{"match[]": fill_in(selector, 60), "start": answered.start, "end": answered.end}
        )
        result[place] = {one.get(label) for one in answer}
    assert result["rag: $llm"] == {"llm"}
    assert result["rag: $llm_namespace"] == {"local"}
    assert result["rag: $operation"] == {"ask", "retrieve", "ingest"}
