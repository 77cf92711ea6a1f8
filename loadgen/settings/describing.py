"""Pydantic's validation errors as faults: the setting, its value, the problem and the remedy."""

from dataclasses import asdict, is_dataclass

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from loadgen.settings.credentials import is_secret
from loadgen.settings.faults import Fault


def describe_fault(name: str, value: object, error: ValidationError, model: type[BaseModel]) -> Fault:
    """Turn pydantic's first error for a setting into a fault."""
    item = next(item for item in error.errors() if item["loc"][0] == name)
    field = model.model_fields.get(name)
    extra = field.json_schema_extra if field and isinstance(field.json_schema_extra, dict) else {}
    allowed = item.get("ctx", {}).get("expected")
    hint = str(extra.get("hint") or "") or (f"Choose {allowed}" if allowed else _bounds(field))
    problem = item["msg"].removeprefix("Value error, ").replace("Input should be", "should be")
    shown = "" if field is None or is_secret(field) else str(value)
    return Fault(name, shown, problem[:1].lower() + problem[1:], hint + ".")


def _bounds(field: FieldInfo | None) -> str:
    """The range of a number as a hint: `Choose a number from 1 to 256`."""
    named = find_limits(field)
    return f"Choose a number {named}" if named else "See --help"


def find_limits(field: FieldInfo | None) -> str:
    """The range of a number, such as `from 1 to 256`; empty if unlimited."""
    limits = {
        name: value
        for mark in (field.metadata if field else ())
        if is_dataclass(mark) and not isinstance(mark, type)
        for name, value in asdict(mark).items()
    }
    words = {"ge": "from", "gt": "above", "le": "to", "lt": "below"}
    return " ".join(f"{words[name]} {limits[name]:,}" for name in words if name in limits)
