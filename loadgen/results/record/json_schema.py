"""The JSON schema of a record file, made from the model."""

import json
from typing import Any

from loadgen.results.record.model import RunRecord


def schema() -> dict[str, Any]:
    """JSON schema (2020-12) of a record file."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return head | RunRecord.model_json_schema(mode="serialization")


def schema_text() -> str:
    """The text of schema.json, which `python -m loadgen.results.record` writes."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
