"""docs/reference/defaults.md says what the installed packages do, and what this tool does."""

import inspect
import re
from pathlib import Path
from typing import Any

from llama_index.core.constants import DEFAULT_SIMILARITY_TOP_K
from llama_index.core.vector_stores.types import VectorStoreQuery
from llama_index.vector_stores.milvus import MilvusVectorStore
from pymilvus import MilvusClient

from loadgen.settings.model import Settings, as_text

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "defaults.md").read_text()
ROWS = {row[0]: row[1:] for row in re.findall(r"^\| `--([a-z-]+)` \| (.*?) \| (.*?) \|", PAGE, re.MULTILINE)}
THEIRS = {name: one.default for name, one in inspect.signature(MilvusVectorStore.__init__).parameters.items()}


def plain(cell: str) -> str:
    return cell.strip("`")


def test_our_column_has_the_defaults_of_the_settings() -> None:
    settings = Settings()
    params = {name: value for name, value in settings.index_config.items() if name != "index_type"}
    shown = {"index-params": as_text(params), "search-params": as_text(settings.search_config)}
    shown |= {"output-fields": "all", "upsert": "off"}
    assert settings.output_fields == ()
    assert settings.upsert is False
    for name, (ours, _) in ROWS.items():
        assert plain(ours) == shown.get(name, as_text(getattr(settings, name.replace("-", "_")))), name


def test_their_column_has_the_defaults_of_the_installed_library() -> None:
    kind: Any = MilvusVectorStore
    store = kind.model_construct(
        index_config={}, embedding_field="embedding", similarity_metric=THEIRS["similarity_metric"]
    )
    (index,) = store._add_dense_index_params(MilvusClient.prepare_index_params())
    assert plain(ROWS["index-type"][1]) == index.index_type
    assert (index.to_dict().get("params"), THEIRS["index_config"], THEIRS["search_config"]) == (None, None, None)
    assert ROWS["index-params"][1] == ROWS["search-params"][1] == "none"
    assert plain(ROWS["consistency"][1]) == THEIRS["consistency_level"]
    assert plain(ROWS["metric"][1]) == THEIRS["similarity_metric"] == index.to_dict()["metric_type"]
    assert plain(ROWS["batch-size"][1]) == str(THEIRS["batch_size"])
    assert DEFAULT_SIMILARITY_TOP_K == 2, "as the page says"
    assert plain(ROWS["top-k"][1]) == str(VectorStoreQuery().similarity_top_k)
    assert (ROWS["output-fields"][1], THEIRS["output_fields"]) == ("all", None)
    assert (ROWS["upsert"][1], THEIRS["upsert_mode"]) == ("off", False)


def test_the_page_says_where_both_are_the_same() -> None:
    reasons = dict(re.findall(r"^\| `--([a-z-]+)` \|.*\| (.*?) \|$", PAGE, re.MULTILINE))
    alike = {name for name, (ours, theirs) in ROWS.items() if ours == theirs}
    assert alike == {name for name, why in reasons.items() if why.startswith("the same") and name != "metric"}
    assert set(ROWS) >= {"index-type", "consistency", "metric"}
