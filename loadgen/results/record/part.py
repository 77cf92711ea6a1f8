"""Base of every part of a run record: frozen, without unknown keys, null for missing numbers."""

import math
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

Count = Annotated[int, Field(ge=0, le=2**53)]
Figure = float | None
BASE64 = r"^[A-Za-z0-9+/]*={0,2}$"
Packed = Annotated[str, Field(pattern=BASE64)]
LEFT_OUT = {"anyOf": [{"type": "string", "pattern": BASE64}, {"type": "null"}]}
PackedOrLeftOut = Annotated[Packed, WithJsonSchema(LEFT_OUT)]
"""In a file null, where it follows from others (`compact`); never null here."""
Share = Annotated[float, Field(ge=0, le=1)] | None


def without_nan(value: object) -> Any:
    """The same value with None for each non-finite float, at any depth: JSON cannot represent them."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(part) for part in value]
    return value


class Part(BaseModel):
    """A frozen part of a record that rejects unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, json_schema_serialization_defaults_required=True
    )

    @model_validator(mode="before")
    @classmethod
    def _finite(cls, values: Any) -> Any:
        """None for each non-finite float. One call for all fields: a long record has a million."""
        given = values.items() if isinstance(values, dict) else ()
        missing = [key for key, value in given if isinstance(value, float) and not math.isfinite(value)]
        return values | dict.fromkeys(missing) if missing else values
