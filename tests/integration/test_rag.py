"""Questions through the real command: an index of documents in Milvus, local embeddings, a simulated language model."""

import os
import re
import shutil
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from loadgen.llm_server import Behaviour, LlmServer, start_llm_server
from loadgen.llm_server.plan import plan_chat
from loadgen.measure.histogram_texts import decode_histogram
from loadgen.measure.sample import Mode, Outcome
from loadgen.results.record import RunRecord
from tests.integration.cluster_support import Cluster
from tests.integration.forked import run_forked
from tests.integration.locust_command import LOADGEN, ROOT, record_of, run_locust
from tests.integration.plain_clients import client_of
from tests.integration.store_support import count_rows, drop

BRIEF = (
    "--concurrency",
    "2",
    "--rounds",
    "1",
    "--phase-seconds",
    "1",
    "--warmup-seconds",
    "0.2",
    "--recall-every",
    "1",
)
FAST: dict[str, Any] = {"first_token": "20ms", "inter_token": "2ms", "tokens": 8}
FAULTY = Behaviour(**FAST, errors="429:0.15; 503:0.15; broken:0.15", seed=5)
STAGES = {"embed", "retrieve", "first_token", "generate"}
OBJECTIVE = "first_token > 19 ms, embed < 20 s, response < 30 s"
SUBJECTS = ("apples", "bridges", "clouds", "dragons", "engines", "forests", "glaciers", "harbours")


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A folder of texts, each on another subject."""
    folder = tmp_path / "documents"
    folder.mkdir()
    for number, subject in enumerate(SUBJECTS):
        suffix = ".md" if number % 2 else ".txt"
        text = f"Everything about {subject}. " + f"Old {subject} differ from new {subject} in colour and weight. " * 5
        (folder / f"{subject}{suffix}").write_text(text)
    return folder


@pytest.fixture
def llm() -> Iterator[LlmServer]:
    with start_llm_server(Behaviour(**FAST)) as server:
        yield server


def count_outcomes(record: RunRecord, operation: str) -> Counter[str]:
    """Of the whole run, in and outside of its windows."""
    total: Counter[str] = Counter()
    for phase in record.phases:
        for one in phase.operations:
            if one.operation == operation:
                total.update({str(outcome): number for outcome, number in one.outcomes.items()})
    for outside in record.outside:
        if outside.operation == operation:
            total.update({str(outcome): number for outcome, number in outside.outcomes.items()})
    return total


@pytest.mark.parametrize("server", ["lite_uri", "milvus_uri"])
def test_answers_of_both_modes_streamed_or_not_have_stages_and_recall_and_the_index_is_reused(
    request: pytest.FixtureRequest, tmp_path: Path, documents: Path, llm: LlmServer, server: str
) -> None:
    uri = str(request.getfixturevalue(server))
    variants = "sync; async; sync stream=true; async stream=true"
    own = ("--host", uri, "--collection", "rag_stages", "--documents", str(documents), "--chunk-size", "64")
    flags = (*own, "--chunk-overlap", "8", *BRIEF, "--variants", variants, "--simulated-url", llm.url)
    asked = "ask goodput > 0; retrieve goodput > 0; ask tokens_out > 1; retrieve mrr > 0.9"
    run = run_locust(tmp_path / "a", *flags, "--objective", OBJECTIVE, "--require", asked, files="rag_query.py")
    run.assert_good()
    assert "met: retrieve mrr > 0.9: 1 (" in run.out
    assert "Mean reciprocal rank of retrieve: 1.000 with sync" in run.out
    assert "Sync and async give the same answers" in run.err
    record = record_of(tmp_path / "a")
    for phase in record.phases:
        result = {one.operation: one for one in phase.operations}
        assert {name: set(one.outcomes) for name, one in result.items()} == {"ask": {"ok"}, "retrieve": {"ok"}}
        number = result["ask"].outcomes[Outcome.OK]
        counts = {name: decode_histogram(one.histogram).get_total_count() for name, one in result["ask"].stages.items()}
        gaps = {"inter_token": (FAST["tokens"] - 1) * number} if "stream" in phase.variant else {}
        assert counts == dict.fromkeys({*STAGES, "search"}, number) | gaps
        assert set(result["retrieve"].stages) == {"embed", "retrieve", "search"}
        searches = decode_histogram(result["retrieve"].stages["search"].histogram).get_total_count()
        assert searches == result["retrieve"].outcomes[Outcome.OK]
        assert 0 < (result["ask"].stages["search"].mean or 0) < (result["ask"].stages["retrieve"].mean or 0)
        assert set(result["ask"].items) == {"tokens_in", "tokens_out"}
        assert result["ask"].items["tokens_out"] == FAST["tokens"] * number
        assert {one.operation: one.good for one in phase.operations} == {
            one.operation: one.outcomes[Outcome.OK] for one in phase.operations
        }
        assert result["retrieve"].recall == pytest.approx(1.0)
        assert result["retrieve"].mrr == pytest.approx(1.0)
        assert result["ask"].mrr is None
        held = phase.generator.loop_held_ratios
        assert set(held) == (STAGES if phase.mode is Mode.ASYNC else set()), "threads hold no loop"
        assert sum(held.values()) < 1
    with client_of(uri) as client:
        rows = client.query("rag_stages", filter="", output_fields=["doc_id"], limit=1_000)
    assert {row["doc_id"] for row in rows} == {path.name for path in documents.iterdir()}
    assert len(rows) > len(SUBJECTS)
    assert record.manifest.rows == len(rows)
    assert record.manifest.settings["dim"] == 256
    tokens = sum(
        one.items["tokens_in"] for phase in record.phases for one in phase.operations if one.operation == "ask"
    )
    assert tokens > 0
    assert "tokens_out/s" in run.out
    again = run_locust(tmp_path / "b", *flags, "--variants", "async", files="rag_query.py")
    assert f"{len(rows)} rows reused" in again.out + again.err
    drop(uri, "rag_stages")


def test_errors_of_the_model_are_outcomes_and_match_the_counts_of_its_server(
    lite_uri: str, tmp_path: Path, documents: Path
) -> None:
    variants = ("sync", "async", "sync stream=true", "async stream=true")
    warming = [plan_chat(FAULTY, number).error for number in range(len(variants))]
    flags = ("--host", lite_uri, "--collection", "rag_errors", "--documents", str(documents), *BRIEF)
    with start_llm_server(FAULTY) as server:
        run = run_locust(
            tmp_path / "run",
            *(*flags, "--variants", "; ".join(variants), "--simulated-url", server.url, "--max-failures", "90%"),
            files="rag_query.py",
        )
        run.assert_good()
        counts = server.counts().chat
    outcomes = count_outcomes(record_of(tmp_path / "run"), "ask")
    kinds = {"": "ok", "ok": "ok", "429": "throttled", "503": "unavailable", "broken": "failed"}
    outcomes.update(kinds[error] for error in warming)
    assert outcomes == {kinds.get(name, name): number for name, number in counts.outcomes.items()}
    assert outcomes.keys() == set(kinds.values()), "every kind of error occurred"
    drop(lite_uri, "rag_errors")


def test_an_existing_collection_is_asked_questions_of_a_file(
    lite_uri: str, tmp_path: Path, documents: Path, llm: LlmServer
) -> None:
    made = ("--host", lite_uri, "--collection", "rag_existing", "--simulated-url", llm.url)
    flags = (*made, *BRIEF, "--mode", "compare")
    run_locust(tmp_path / "a", *flags, "--documents", str(documents), files="rag_query.py").assert_good()
    questions = tmp_path / "questions.jsonl"
    questions.write_text(
        '{"question": "How do old apples differ from new apples?", "documents": ["apples.txt", "elsewhere.md"]}\n'
        '{"question": "How do old bridges differ from new bridges?", "documents": ["bridges.md", "elsewhere.md"]}\n'
    )
    run = run_locust(tmp_path / "b", *flags, "--existing", "--questions", str(questions), files="rag_query.py")
    run.assert_good()
    result = [one for phase in record_of(tmp_path / "b").phases for one in phase.operations]
    assert {one.recall for one in result if one.operation == "retrieve"} == {0.5}
    assert {one.mrr for one in result if one.operation == "retrieve"} == {1.0}
    assert {one.recall for one in result if one.operation == "ask"} == {None}
    other = ("--existing", "--questions", str(questions), "--embedding", "simulated:64")
    refused = run_locust(tmp_path / "c", *flags, *other, files="rag_query.py")
    assert refused.code == 2
    reported = "--embedding simulated:64: makes vectors of dimension 64, and collection 'rag_existing' has 256"
    assert reported in refused.out + refused.err
    drop(lite_uri, "rag_existing")


def test_the_simulated_server_of_a_run_ends_with_it_and_its_embedding_has_a_collection_of_its_own(
    lite_uri: str, tmp_path: Path, documents: Path
) -> None:
    variants = "async; async embedding=simulated:64; async embed-in=loop; async embed-in=batched"
    flags = ("--host", lite_uri, "--collection", "rag_own", "--documents", str(documents), *BRIEF)
    run = run_locust(tmp_path / "run", *flags, "--variants", variants, files="rag_query.py")
    run.assert_good()
    record = record_of(tmp_path / "run")
    assert record.variant_names == variants.split("; ")
    assert count_outcomes(record, "ask").keys() == {"ok"}
    with client_of(lite_uri) as client:
        fields = {name: client.describe_collection(name)["fields"] for name in ("rag_own", "rag_own_simulated_64")}
    dims = {name: [one["params"]["dim"] for one in every if "dim" in one["params"]] for name, every in fields.items()}
    assert dims == {"rag_own": [256], "rag_own_simulated_64": [64]}
    url = str(record.manifest.settings["simulated_url"])
    assert url.startswith("http://127.0.0.1:")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(url.split(":")[2].split("/", maxsplit=1)[0])), timeout=5)
    drop(lite_uri, "rag_own", "rag_own_simulated_64")


def test_prepare_starts_a_simulated_model_and_needs_no_language_model(
    lite_uri: str, tmp_path: Path, documents: Path
) -> None:
    own = ("--host", lite_uri, "--collection", "rag_prepared", "--documents", str(documents))
    flags = (*own, "--embedding", "simulated:384", "--llm", "openai:gpt-4o-mini")
    command = [LOADGEN, "prepare", "-f", str(ROOT / "locustfiles" / "rag_query.py"), *flags]
    done = run_forked(command, tmp_path, os.environ)
    assert done.returncode == 0, done.stderr
    assert f"{len(SUBJECTS)} rows loaded" in done.stdout
    assert count_rows(lite_uri, "rag_prepared") == len(SUBJECTS)
    drop(lite_uri, "rag_prepared")


def test_another_model_under_the_same_name_does_not_reuse_the_vectors(
    lite_uri: str, tmp_path: Path, documents: Path
) -> None:
    own = ("--host", lite_uri, "--collection", "rag_probed", "--documents", str(documents), "--embedding", "openai:m")
    flags = (*own, "--top-k", "2", "--mode", "async", "-u", "1", "-t", "1")
    with start_llm_server(Behaviour(embedding_dim=24)) as one, start_llm_server(Behaviour(embedding_dim=32)) as other:
        ask = (*flags, "--simulated-url", one.url, "--embedding-url")
        run_locust(tmp_path / "a", *ask, one.url, files="rag_query.py").assert_good()
        again = run_locust(tmp_path / "b", *ask, one.url, files="rag_query.py")
        again.assert_good()
        assert f"{len(SUBJECTS)} rows reused" in again.err
        refused = run_locust(tmp_path / "c", *ask, other.url, files="rag_query.py")
        assert refused.code == 2
        assert f"--embedding-url {other.url}: has another openai:m than the one that filled" in refused.err
    drop(lite_uri, "rag_probed")


def test_a_worker_with_other_documents_ends_the_start(
    lite_uri: str, tmp_path: Path, documents: Path, free_port: int
) -> None:
    flags = ("--host", lite_uri, "--collection", "rag_apart", "--documents", "docs", *BRIEF, "--top-k", "2")
    with Cluster(tmp_path, free_port) as cluster:
        for name in ("master", "same", "other"):
            shutil.copytree(documents, tmp_path / name / "docs")
        (tmp_path / "other" / "docs" / "apples.txt").write_text("Nothing about apples.")
        master = cluster.master(2, *flags, files="rag_ingest.py")
        cluster.worker("same", files="rag_ingest.py")
        cluster.worker("other", files="rag_ingest.py")
        assert master.finish() == 2
    reported = master.run.out + master.run.err
    assert "Traceback" not in reported
    match = re.search(r"worker \w*\S* cannot take part: it has 8 documents \(fingerprint (\w+)\) and", reported)
    assert match
    assert "the master has 8 documents (fingerprint " in reported
    assert "Give every machine the same --documents and --questions" in reported
    drop(lite_uri, "rag_apart")


def test_all_faults_are_told_together_and_no_collection_is_made(lite_uri: str, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    flags = ("--host", lite_uri, "--collection", "rag_wrong", "--documents", str(empty), "--llm", "openai:gpt-4o-mini")
    run = run_locust(tmp_path / "run", *flags, "--embedding", "local:x", *BRIEF, files="rag_query.py")
    assert run.code == 2
    assert "Traceback" not in run.out + run.err
    for reported in (
        f"--documents {empty}: contains no",
        "--llm openai:gpt-4o-mini: needs a key for https://api.openai.com/v1",
        "--embedding local:x: is no embedding model",
    ):
        assert reported in run.out + run.err
    with client_of(lite_uri) as client:
        assert not client.has_collection("rag_wrong")


def test_a_server_that_answers_no_json_ends_the_start(lite_uri: str, tmp_path: Path, documents: Path) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>hello</html>")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    flags = ("--host", lite_uri, "--collection", "rag_page", "--documents", str(documents), *BRIEF, "--llm-url", url)
    try:
        for mode in ("sync", "async"):
            run = run_locust(tmp_path / mode, *flags, "--llm", "openai:x", "--variants", mode, files="rag_query.py")
            assert run.code == 2
            assert "Traceback" not in run.out + run.err
            assert f"openai:x at {url} does not answer as OpenAI's API does" in run.out + run.err
    finally:
        server.shutdown()
        server.server_close()
    drop(lite_uri, "rag_page")


def test_a_model_server_that_cannot_be_reached_ends_the_start(lite_uri: str, tmp_path: Path, documents: Path) -> None:
    flags = ("--host", lite_uri, "--collection", "rag_nobody", "--documents", str(documents), *BRIEF)
    run = run_locust(tmp_path / "run", *flags, "--simulated-url", "http://127.0.0.1:9/v1", files="rag_query.py")
    assert run.code == 2
    assert "Traceback" not in run.out + run.err
    assert "simulated at http://127.0.0.1:9/v1 cannot be reached" in run.out + run.err
    drop(lite_uri, "rag_nobody")
