"""Messages that no server would accept are faults before anything is sent."""

import pytest

from loadgen.settings.faults import SettingsError
from loadgen.settings.message_sizes import LITE, MILVUS, MILVUS_2_3, Limits, find_oversized, limits_of
from loadgen.settings.model import Settings

WIDE = {"dim": 32_768, "rows": 20_000}


@pytest.mark.parametrize(
    ("kind", "version", "limits"),
    [
        ("milvus", "v2.3.5-lite", MILVUS_2_3),
        ("milvus", "v2.6.15", MILVUS),
        ("zilliz", "2.6.3", MILVUS),
        ("lite", "milvus_lite-3.2.2", LITE),
    ],
)
def test_the_limits_are_those_of_the_server(kind: str, version: str, limits: Limits) -> None:
    assert limits_of(kind, version) is limits


@pytest.mark.parametrize(
    ("given", "limits", "reported"),
    [
        ({"batch_size": 508}, MILVUS_2_3, []),
        (
            {"batch_size": 510},
            MILVUS_2_3,
            [
                (
                    "--batch-size 510: makes inserts of 64 MiB (a row of dimension 32768 has 131,867 bytes), "
                    "but the server accepts 64 MiB. Set --batch-size to 508 or less."
                )
            ],
        ),
        ({"batch_size": 1_000, "nodes_per_insert": 1_000, "rows": 100}, MILVUS, ["--batch-size 1000"]),
        ({"batch_size": 1_000, "nodes_per_insert": 100, "rows": 100}, MILVUS, []),
        ({"batch_size": 100, "nodes_per_insert": 1_000}, MILVUS, []),
        ({"top_k": 508}, MILVUS_2_3, []),
        (
            {"top_k": 1_000},
            MILVUS_2_3,
            [
                (
                    "--top-k 1000: makes answers with all fields of 126 MiB (a row of dimension 32768 has 131,867 "
                    "bytes), but the server accepts 64 MiB. Set --top-k to 508 or less, or omit the vector with "
                    "--output-fields text,doc_id."
                )
            ],
        ),
        ({"top_k": 1_000, "output_fields": "text,embedding"}, MILVUS_2_3, ["--top-k 1000"]),
        ({"top_k": 1_000, "output_fields": "text,doc_id"}, MILVUS_2_3, []),
        ({"top_k": 1_000}, MILVUS, []),
        ({"batch_size": 600, "top_k": 600}, MILVUS_2_3, ["--batch-size 600", "--top-k 600"]),
        ({"batch_size": 600, "top_k": 600}, LITE, []),
        ({"top_k": 254, "queries_per_search": 2}, MILVUS_2_3, []),
        (
            {"top_k": 300, "queries_per_search": 2},
            MILVUS_2_3,
            [
                (
                    "--top-k 300: makes answers with all fields of 75 MiB (a row of dimension 32768 has 131,867 "
                    "bytes), but the server accepts 64 MiB. Lower --queries-per-search (now 2), or set --top-k "
                    "to 254 or less, or omit the vector with --output-fields text,doc_id."
                )
            ],
        ),
        ({"top_k": 1, "queries_per_search": 600, "queries": 600}, MILVUS_2_3, ["--top-k 1: makes answers"]),
    ],
)
def test_a_message_is_refused_from_its_servers_limit_on(
    given: dict[str, object], limits: Limits, reported: list[str]
) -> None:
    shown = [str(fault) for fault in find_oversized(Settings.parse(WIDE | given), limits)]
    assert [text[: len(start)] for text, start in zip(shown, reported, strict=True)] == reported


def test_what_no_server_accepts_is_refused_with_the_other_settings() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.parse(WIDE | {"batch_size": 10_000, "top_k": 10_000, "warmup_seconds": 99})
    assert [fault.setting for fault in caught.value.faults] == ["batch_size", "top_k", "warmup_seconds"]
    Settings.parse({"batch_size": 100_000, "rows": 1_000_000, "dim": 128, "top_k": 16_384})
