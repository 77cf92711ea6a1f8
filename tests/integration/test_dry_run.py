"""A dry run sends nothing, whatever it is asked for."""

from pathlib import Path

import pytest

from tests.integration.locust_command import run_locust
from tests.integration.recording_server import recording_server


@pytest.mark.parametrize("layout", [(), ("--processes", "2")], ids=["one", "workers"])
def test_a_dry_run_prints_the_plan_and_sends_nothing(layout: tuple[str, ...], tmp_path: Path) -> None:
    with recording_server() as server:
        flags = ("--host", server.uri, "--dry-run", "--concurrency", "2", "--rounds", "1", *layout)
        run = run_locust(tmp_path, *flags)
        run.assert_good()
        assert server.methods == []
    assert "4 phases, 48 s of load" in run.out
    assert not (tmp_path / "runs").exists()
