"""What a dry run says: the plan and what it costs, without a secret."""

from typing import Any

import pytest

from loadgen.locust_plugin.preparation.dry_run import describe_run, show_bytes, show_duration
from loadgen.locust_plugin.preparation.run_plan import plan_users
from loadgen.settings.model import Settings
from tests.unit.test_rates import BOTH


def said(alone: str = "", **given: Any) -> list[str]:
    settings = Settings.parse({"host": "http://milvus:19530", "rows": 1_000, "dim": 64} | given)
    _, phases = plan_users(BOTH, settings)
    return describe_run(settings, BOTH, phases, alone)


def test_the_plan_of_a_comparison_is_listed_with_its_duration() -> None:
    lines = said(concurrency="8", rounds=1, token="root:S3cret-4711", collection="mine")
    assert lines[0] == "Dry run: nothing is sent."
    assert lines[1:5] == [
        "server      http://milvus:19530",
        "variants    sync (baseline); async",
        (
            "collections mine: 1,000 rows of 64 dimensions, COSINE, HNSW M=16,efConstruction=200, Bounded consistency; "
            "loaded unless it is ready"
        ),
        "memory      250.0 KiB of vectors in Milvus, without its index; 250.0 KiB of queries in each process",
    ]
    assert "plan        4 phases, 48 s of load; without loading and the start of users" in lines
    assert lines.count("              1. sync, 8 users, 2 s of warm-up and 10 s") == 1
    assert "            --token ********" in lines
    assert "S3cret" not in "\n".join(lines)


def test_arrivals_are_counted_and_many_phases_are_cut() -> None:
    lines = said(arrival="constant", rate="search: 200, insert: 20", rounds=10)
    plan = next(line for line in lines if line.startswith("plan"))
    assert plan.startswith("plan        40 phases, 8 min of load, 88,000 arrivals in the measured parts;")
    assert "            and 8 more" in lines
    assert "            --rate search: 200,insert: 20" in lines


def test_variants_with_other_indexes_have_their_own_collections() -> None:
    lines = said(variants=["async", "async index-type=FLAT"], collection="mine")
    (at,) = (number for number, line in enumerate(lines) if line.startswith("collections"))
    assert [line[12:].partition(":")[0] for line in lines[at : at + 2]] == ["mine", "mine_flat"]
    assert "memory      500.0 KiB of vectors" in lines[at + 2]


def test_a_run_of_one_mode_has_the_load_of_locusts_flags() -> None:
    lines = said("5 users, 60 s", mode="async")
    assert "plan        5 users, 60 s" in lines


def test_an_existing_collection_is_used_as_it_is() -> None:
    settings = Settings.parse({"host": "http://milvus:19530", "existing": True, "collection": "theirs"})
    lines = describe_run(settings, [], (), "1 user")
    assert "collections theirs: used as it is" in lines
    assert [line for line in lines if line.startswith("memory")] == []


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0 bytes"), (1, "1 byte"), (2_048, "2.0 KiB"), (3 << 20, "3.0 MiB"), (5 << 29, "2.5 GiB")]
)
def test_bytes_are_shown_in_a_fitting_unit(number: int, shown: str) -> None:
    assert show_bytes(number) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.2, "0.2 s"), (59, "59 s"), (144, "2 min 24 s"), (7_260, "2 h 1 min")],
)
def test_durations_are_shown_in_words(seconds: float, shown: str) -> None:
    assert show_duration(seconds) == shown
