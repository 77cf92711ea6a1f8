"""What every piece of a run record has in common: frozen, no unknown keys, and null where there is no number."""

import math
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

Count = Annotated[int, Field(ge=0, le=2**53)]
Figure = float | None
Share = Annotated[float, Field(ge=0, le=1)] | None


def without_nan(value: object) -> Any:
    """The same value with None for each float in it, at any depth, that is not finite: JSON has no such number."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(part) for part in value]
    return value


class Part(BaseModel):
    """A frozen piece of a record that knows no other keys than its own."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, json_schema_serialization_defaults_required=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _finite(cls, value: object) -> object:
        return None if isinstance(value, float) and not math.isfinite(value) else value
