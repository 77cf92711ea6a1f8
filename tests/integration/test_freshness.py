"""The time from an insert's answer until a search finds the row, on real servers."""

from collections import Counter
from pathlib import Path

import pytest

from loadgen.results.record import PhaseRecord
from tests.integration.locust_command import SMALL, record_of, run_locust
from tests.integration.plain_clients import client_of
from tests.integration.store_support import count_rows, drop

BRIEF = ("--concurrency", "2", "--rounds", "1", "--phase-seconds", "1", "--warmup-seconds", "0.2")
LEVELS = ("Strong", "Bounded", "Eventually")


def outcomes(phases: tuple[PhaseRecord, ...], operation: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for phase in phases:
        for one in phase.operations:
            if one.operation == operation:
                counts.update({str(kind): number for kind, number in one.outcomes.items()})
    return counts


def test_each_consistency_level_has_its_own_lag_and_its_own_collection(milvus_uri: str, tmp_path: Path) -> None:
    variants = "; ".join(f"async consistency={level}" for level in LEVELS)
    flags = ("--host", milvus_uri, "--collection", "fresh_levels", "--variants", variants)
    run = run_locust(tmp_path, *SMALL, *BRIEF, *flags, "--require", "visible p99 < 30 s", files="freshness.py")
    run.assert_good()
    record = record_of(tmp_path)
    assert len(record.variant_names) == 3
    for name in record.variant_names:
        phases = tuple(phase for phase in record.phases if phase.variant == name)
        visible = [one for phase in phases for one in phase.operations if one.operation == "visible"]
        assert set(outcomes(phases, "visible")) == {"ok"}
        assert all(one.response_seconds.p50 and one.response_seconds.p99 for one in visible)
        assert not any(sum(one.nested.values()) for one in visible)
    assert {one.operation for phase in record.phases for one in phase.operations} == {"insert", "visible"}
    assert "met: visible p99 < 30 s" in run.out
    names = ["fresh_levels_strong", "fresh_levels", "fresh_levels_eventually"]  # Bounded is the default of the run
    with client_of(milvus_uri) as client:
        result = [client.describe_collection(name)["consistency_level_name"] for name in names]
    assert result == list(LEVELS)
    drop(milvus_uri, *names)


@pytest.mark.parametrize("server", ["milvus_uri", "lite_uri"])
def test_rows_become_visible_to_both_modes_and_both_clients_and_the_next_run_reloads(
    request: pytest.FixtureRequest, tmp_path: Path, server: str
) -> None:
    uri = str(request.getfixturevalue(server))
    flags = ("--host", uri, "--collection", "fresh_modes")
    variants = ("--variants", "sync; async; pymilvus/sync; pymilvus/async")
    run = run_locust(tmp_path / "a", *SMALL, *BRIEF, *flags, *variants, files="freshness.py")
    run.assert_good()
    phases = record_of(tmp_path / "a").phases
    assert set(outcomes(phases, "visible")) == {"ok"}
    assert outcomes(phases, "visible")["ok"] >= 8
    assert count_rows(uri, "fresh_modes") > 300 + 8
    again = run_locust(tmp_path / "b", *SMALL, *BRIEF, *flags, "--variants", "sync")
    again.assert_good()
    assert "more than asked for: reloading" in again.err
    assert count_rows(uri, "fresh_modes") == 300
    drop(uri, "fresh_modes")


def test_a_row_that_is_not_visible_by_the_deadline_is_a_timeout_in_both_modes(milvus_uri: str, tmp_path: Path) -> None:
    """Milvus makes rows visible about five times a second."""
    flags = ("--host", milvus_uri, "--collection", "fresh_late", "--consistency", "Eventually", "--deadline", "0.1")
    run = run_locust(tmp_path, *SMALL, *BRIEF, *flags, files="freshness.py")
    assert run.code == 1
    record = record_of(tmp_path)
    for mode in ("sync", "async"):
        result = outcomes(tuple(phase for phase in record.phases if phase.variant == mode), "visible")
        assert result["timeout"] > 0, mode
        assert set(result) <= {"ok", "timeout"}, mode
    assert "visible operations failed" in run.out
    drop(milvus_uri, "fresh_late")


def test_an_existing_collection_loses_the_rows_again(lite_uri: str, tmp_path: Path) -> None:
    flags = ("--host", lite_uri, "--collection", "fresh_existing")
    run_locust(tmp_path / "a", *SMALL, *BRIEF, *flags).assert_good()
    run = run_locust(tmp_path / "b", *BRIEF, *flags, "--existing", "--allow-writes", files="freshness.py")
    run.assert_good()
    assert outcomes(record_of(tmp_path / "b").phases, "visible")["ok"] > 0
    assert "inserted rows from collection 'fresh_existing'" in run.err
    assert count_rows(lite_uri, "fresh_existing") == 300
    drop(lite_uri, "fresh_existing")
