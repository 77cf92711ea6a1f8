"""The dashboards as JSON for Grafana, including file provisioning."""

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import compare, generator, milvus, rag

FOLDER = Path(__file__).parents[1] / "charts" / "milvus-loadgen" / "dashboards"
MAKERS = {
    "variants.json": compare.make,
    "generator.json": generator.make,
    "milvus.json": milvus.make,
    "rag.json": rag.make,
}


def render() -> dict[str, str]:
    """Each file's name and its text."""
    return {name: json.dumps(make().build(), cls=JSONEncoder, indent=2) + "\n" for name, make in MAKERS.items()}
