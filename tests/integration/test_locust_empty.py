"""A run whose searches find nothing fails and says so, whatever it is called."""

from pathlib import Path
from textwrap import dedent

import pytest

from loadgen.measure.sample import Outcome
from loadgen.milvus.server import EmbeddedServer
from loadgen.results.record import read_record
from tests.integration.locust_command import SEARCHED, SMALL, run_locust

PHASES = ("--concurrency", "2", "--rounds", "1", "--phase-seconds", "0.5", "--warmup-seconds", "0.2")
USERS = """
    from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters
    from loadgen import AsyncUser, SyncUser, plug
    from locust import events, task

    plug(events, recall_every=0)
    NONE = MetadataFilters(filters=[MetadataFilter(key="nothing", value=99999)])


    class Sync(SyncUser):
        @task
        def search(self):
            query = self.next_query()
            query.filters = {sync}
            self.client.search(query)


    class Async(AsyncUser):
        @task
        async def search(self):
            query = self.next_query()
            query.filters = {asyn}
            await self.client.search(query)
"""


def written(folder: Path, sync: str, asyn: str) -> str:
    path = folder / "finds_nothing.py"
    path.write_text(dedent(USERS).format(sync=sync, asyn=asyn))
    return str(path)


@pytest.mark.parametrize(("sync", "guilty"), [("NONE", ("sync", "async")), ("None", ("async",))])
def test_a_comparison_of_searches_that_find_nothing_is_invalid(
    milvus: EmbeddedServer, tmp_path: Path, sync: str, guilty: tuple[str, ...]
) -> None:
    files = written(tmp_path, sync, "NONE")
    run = run_locust(tmp_path, "--host", milvus.uri, "--collection", SEARCHED, *SMALL, *PHASES, files=files)
    assert run.code == 1, f"{run.out}\n{run.err}"
    (path,) = (tmp_path / "runs").glob("[!.]*.json")
    (result,) = read_record(path).comparisons
    assert result.verdict == "invalid"
    assert [reason.split(" returned nothing in ")[0] for reason in result.reasons if "--max-empty" in reason] == [
        *guilty
    ]
    assert "search: no verdict at 2 users." in run.out
    assert "MISSED: at most 1 % empty answers: 100 % (" in run.out


@pytest.mark.parametrize(("flags", "code"), [((), 1), (("--max-empty", "100%"), 0)])
def test_one_mode_that_finds_nothing_fails_unless_it_may(
    milvus: EmbeddedServer, tmp_path: Path, flags: tuple[str, ...], code: int
) -> None:
    files = written(tmp_path, "NONE", "NONE")
    alone = ("--mode", "async", "-u", "2", "-r", "2", "-t", "2s", *flags)
    run = run_locust(tmp_path, "--host", milvus.uri, "--collection", SEARCHED, *SMALL, *alone, files=files)
    assert run.code == code, f"{run.out}\n{run.err}"
    (path,) = (tmp_path / "runs").glob("[!.]*.json")
    (phase,) = read_record(path).phases
    (search,) = phase.operations
    assert search.outcomes.keys() == {Outcome.EMPTY}
    assert ("MISSED: at most 1 % empty answers: 100 %" in run.out) == bool(code)
