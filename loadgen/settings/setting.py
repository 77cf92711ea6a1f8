"""How a setting is declared."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import Field, JsonValue

WHOLE_NUMBERS = "Give whole numbers from 1 to 1,000,000 with commas"
ON_PAGE: dict[str, JsonValue] = {"page": True}
NOT_ON_PAGE: dict[str, JsonValue] = {"page": False}
OFF_PAGE: dict[str, JsonValue] = {"page": False, "hidden": True}
"""Locust's page neither sets nor shows it."""
OF_HOST: dict[str, JsonValue] = {"address": "host"}


def setting(
    default: Any,
    text: str,
    *,
    unit: str = "",
    hint: str = "",
    declares: Mapping[str, JsonValue] = MappingProxyType({}),
    **limits: Any,
) -> Any:
    """A field with its help text, its unit (empty for counts and names) and a hint for invalid values.

    It may declare `address`, for a credential: the name of the setting with the address that it may be sent to. And
    `page`: whether Locust's page may set it. By default the page may set numbers, choices and switches, but not free
    text, which could name a file.
    """
    return Field(default, description=text, json_schema_extra={"unit": unit, "hint": hint, **declares}, **limits)
