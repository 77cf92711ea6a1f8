"""`loadgen doctor` beside real servers: the way to them, their clock, and collections in each state."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.integration.forked import run_forked
from tests.integration.locust_command import LOADGEN
from tests.integration.plain_clients import client_of
from tests.integration.server_support import fill

NAME = "doctors_own"


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    return run_forked([LOADGEN, "doctor", *flags], Path.cwd(), os.environ)


def examine(*flags: str) -> tuple[int, dict[str, dict[str, str]]]:
    """The exit code, and the findings by the name of the check."""
    done = run("--json", *flags)
    assert done.returncode in (0, 1), done.stderr
    reported: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, {one["check"]: one for one in reported["findings"]}


def test_a_real_milvus_and_a_collection_that_does_not_exist_yet(milvus_uri: str) -> None:
    code, result = examine("--host", milvus_uri, "--collection", "doctors_none", "--rows", "1234")
    assert code == 0
    assert {
        name: one["state"] for name, one in result.items() if name in ("place", "server", "clock", "collection")
    } == {
        "place": "note",
        "server": "ok",
        "clock": "ok",
        "collection": "ok",
    }
    assert "v2.3.5" in result["server"]["text"]
    assert "s ahead" in result["clock"]["text"] or "s behind" in result["clock"]["text"]
    assert result["collection"]["text"] == "doctors_none does not exist: the first run creates it with 1,234 rows"


def test_a_collection_of_ones_own_is_ready_or_named_with_what_is_missing(lite_uri: str) -> None:
    with client_of(lite_uri) as client:
        fill(client, NAME)
        try:
            code, result = examine("--host", lite_uri, "--collection", NAME)
            assert (code, result["collection"]["state"]) == (1, "bad")
            assert "--existing" in result["collection"]["remedy"]
            code, result = examine("--host", lite_uri, "--collection", NAME, "--existing")
            assert code == 0, result
            assert f"{NAME} is loaded and indexed: 20 rows, 4 dimensions" in result["collection"]["text"]
            assert "Milvus Lite" in result["server"]["text"]
            client.release_collection(NAME)
            code, result = examine("--host", lite_uri, "--collection", NAME, "--existing")
            assert (code, "not loaded" in result["collection"]["text"]) == (1, True)
        finally:
            client.drop_collection(NAME)


def test_no_server_is_found_out_and_nothing_that_would_need_it_is_tried() -> None:
    code, result = examine("--host", "http://127.0.0.1:1")
    assert (code, result["server"]["state"]) == (1, "bad")
    assert "collection" not in result


def test_wrong_settings_are_findings_and_a_flag_that_does_not_exist_is_refused() -> None:
    code, result = examine("--top-k", "0")
    assert (code, result["settings"]["remedy"]) == (1, "Choose 1 to 16384, Milvus's limit.")
    done = run("--hots", "http://milvus")
    assert (done.returncode, "--host" in done.stderr) == (2, True)
