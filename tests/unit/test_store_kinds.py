"""Which kind of server answered is known by its own words."""

from typing import Any

import pytest

from loadgen.milvus.store import ServerInfo, check_server, reaching
from loadgen.settings.model import Settings


@pytest.mark.parametrize(
    ("version", "type_", "info"),
    [
        ("v2.3.5-lite", "milvus", ServerInfo("v2.3.5-lite", "milvus")),
        ("milvus_lite-3.2.2", "milvus", ServerInfo("milvus_lite-3.2.2", "lite")),
        ("2.6.4", "zilliz", ServerInfo("2.6.4", "zilliz")),
    ],
)
def test_the_kind_of_a_server_is_milvus_lite_or_zilliz(
    version: str, type_: str, info: ServerInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    class Client:
        def __init__(self, **_given: Any) -> None: ...

        def get_server_version(self, timeout: float) -> str:
            assert timeout > 0
            return version

        def get_server_type(self) -> str:
            return type_

        def list_collections(self, timeout: float) -> list[str]:
            assert timeout > 0
            done.append("listed")
            return []

        def close(self) -> None:
            done.append("closed")

    monkeypatch.setattr(reaching, "MilvusClient", Client)
    assert check_server(Settings.parse({"host": "http://127.0.0.1:19530"})) == info
    assert done == ["listed", "closed"]
