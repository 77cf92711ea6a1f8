"""What the form changes during a run, the requirements it takes, and a run after its server was killed."""

import os
import time
from pathlib import Path

from loadgen.milvus.server import EmbeddedServer
from tests.integration.locust_command import ENDS_WITHIN
from tests.integration.server_support import wait_until
from tests.integration.test_locust_page import (
    Page,
    assert_started,
    leave,
    searches,
    served,
)
from tests.integration.test_locust_secrets import FORM, GIVES_UP, NOBODY

ALLOWED = {"user_count": "2", "spawn_rate": "2", "run_time": ""}


def test_while_a_run_is_active_only_its_users_can_be_changed(
    milvus: EmbeddedServer, tmp_path: Path, free_port: int
) -> None:
    with served(milvus.uri, tmp_path, free_port, "--concurrency", "1") as page:
        before = searches(milvus)
        assert_started(page.start(mode="async"))
        for name, value in (("rows", "301"), ("seed", "7")):  # it is being prepared, or runs already
            answer = page.start(mode="async", **{name: value})
            assert answer["success"] is False
        page.await_state("running", 1)
        changes = (
            {"mode": "sync"}, {"arrival": "poisson", "rate": "50", "concurrency": "1,8,32"}, {"seed": "7"},
            {"rows": "301"}, {"host": NOBODY, "token": "x:y"}, {"token": "x:y"},
        )  # fmt: skip
        for change in changes:
            answer = page.start(**({"mode": "async"} | change))
            assert answer["success"] is False
            for name in change:
                assert f"--{name.replace('_', '-')}" in answer["message"], answer["message"]
            assert "active" in answer["message"]
        assert_started(page.start(mode="async", user_count="2", spawn_rate="2"))
        page.await_state("running", 2)
        assert page.post("/stop", {})["success"] is True
        page.await_state("stopped", 0)
        assert page.counts == {"async": searches(milvus) - before}
        run = leave(page)
    assert run.out.count("Run record: ") == 1


def test_requirements_are_read_in_the_form_as_on_the_command_line(
    milvus: EmbeddedServer, tmp_path: Path, free_port: int
) -> None:
    first, second = "search async p99 < 5 s", "search failures < 1 %"
    flags = ("--require", first, "--require", second)
    with served(milvus.uri, tmp_path, free_port, *flags, "--concurrency", "1") as page:
        assert page.form()["require"] == f"{first}; {second}"
        assert page.start(require="nonsense; more")["success"] is False
        assert_started(page.start())
        page.await_state("stopped", 0)
        run = leave(page)
    assert (run.out.count(f"met: {first}"), run.out.count(f"met: {second}")) == (1, 1)


def test_an_embedded_server_that_was_killed_is_started_again_for_the_next_run(tmp_path: Path, free_port: int) -> None:
    with served(
        "", tmp_path, free_port, "--embedded", "lite", "--index-type", "FLAT", "--rows", "100", token=""
    ) as page:
        assert page.shown["host"] == ""
        assert_started(page.start(mode="sync"))
        page.await_state("running", 1)
        assert page.shown["host"] == "", "its address is not one that somebody has given"
        assert page.post("/stop", {})["success"] is True
        page.await_state("stopped", 0)
        kill_embedded(page)
        for form in (page.form(mode="sync"), FORM | {"mode": "sync"}):
            assert wait_until(lambda form=form: page.post("/swarm", form)["success"] is True, GIVES_UP)  # type: ignore[misc]
            page.await_state("running", 1)
            time.sleep(1)
            assert page.post("/stop", {})["success"] is True
            page.await_state("stopped", 0)
            assert page.counts["sync"] > 0
        page.run.interrupt()
        page.run.finish(ENDS_WITHIN)


def kill_embedded(page: Page) -> None:
    """SIGKILL the server of this run, which is its own child's child."""
    import psutil

    [server] = [
        one
        for one in psutil.Process(page.run.process.pid).children(recursive=True)
        if "milvus-lite" in " ".join(one.cmdline()) or "milvus_lite" in " ".join(one.cmdline())
    ][-1:]
    os.kill(server.pid, 9)
    psutil.wait_procs([server], 10)
