"""The settings: one frozen model. Each field is a flag, a `LOADGEN_*` variable and a key of a config file."""

from collections.abc import Callable, Mapping
from typing import Any, Self

from pydantic import PrivateAttr, SecretStr, ValidationError

from loadgen.settings.conflicts import find_conflicts
from loadgen.settings.credentials import declared, find_credentials, is_secret, take_secrets
from loadgen.settings.data_settings import EXISTING, SYNTHETIC
from loadgen.settings.describing import describe_fault
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.rate_search import USUAL
from loadgen.settings.run_settings import ResultSettings
from loadgen.settings.values import HYBRID, INDEX_DEFAULTS, MMR, MMR_FETCHES, Default


class Settings(ResultSettings):
    """Everything that can be set for a run. Times are seconds."""

    _given: frozenset[str] = PrivateAttr(default=frozenset())

    def __eq__(self, other: object) -> bool:
        """Equal if all values are equal, given or not."""
        return isinstance(other, Settings) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment] # some values are mappings

    @classmethod
    def parse(cls, given: Mapping[str, object], also_given: Callable[[str], bool] | None = None) -> Self:
        """Read settings from text or values; a missing or None key takes its default.

        `also_given` names the given settings if the values come from other settings.
        A password in an address is moved to the setting for that secret. Raises `SettingsError` with *all* faults,
        including conflicts between settings.
        """
        given = _with_arrivals(given)
        was_given = frozenset(name for name in given if (also_given(name) if also_given else _is_given(given[name])))
        if given.get("dataset") == EXISTING:
            given = {**given, "dataset": SYNTHETIC, "existing": True}
        given, contradictions = take_secrets(given, cls)
        values = {name: value for name, value in given.items() if value is not None}
        faults: list[Fault] = []
        wrong: set[str] = set()
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            wrong = {str(item["loc"][0]) for item in error.errors()}
            faults = [describe_fault(name, values.get(name), error, cls) for name in values if name in wrong]
            settings = cls.model_validate({name: value for name, value in values.items() if name not in wrong})
        faults += [fault for fault, names in find_conflicts(settings) if not wrong & set(names)]
        if faults := [*contradictions, *faults]:
            raise SettingsError(faults)
        settings._given = was_given  # noqa: SLF001 - of the model itself
        return settings

    def is_given(self, name: str) -> bool:
        """Whether a setting was given by flag, variable, file or page, even with the value of its default."""
        return name in self._given

    def as_message(self) -> dict[str, Any]:
        """All settings as plain values to send to a worker, secrets included."""
        return {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in self.model_dump().items()
        }

    @property
    def fetched(self) -> int:
        """Rows that a search fetches from the server: MMR chooses from more than it returns."""
        return self.top_k * MMR_FETCHES if self.search_kind == MMR else self.top_k

    @property
    def has_full_text(self) -> bool:
        """Whether the collection needs a BM25 field, and rows and queries texts."""
        return self.search_kind == HYBRID

    @property
    def index_config(self) -> dict[str, Any]:
        """For MilvusVectorStore: the index type with its parameters."""
        defaults, _ = INDEX_DEFAULTS.get(self.index_type, ({}, {}))
        return {"index_type": self.index_type, **(self.index_params or ({} if self.existing else defaults))}

    @property
    def search_config(self) -> dict[str, Any]:
        """For MilvusVectorStore: the search parameters; HNSW's `ef` is never below the rows that a search fetches."""
        _, defaults = INDEX_DEFAULTS.get(self.index_type, ({}, {}))  # an existing collection may have another index
        chosen = dict(self.search_params or defaults)
        if self.index_type == "HNSW" and not self.search_params:
            chosen["ef"] = max(chosen["ef"], self.fetched)
        return chosen


def _with_arrivals(given: Mapping[str, object]) -> Mapping[str, object]:
    """A search for a rate needs arrivals; Poisson's are usual."""
    searches = str(given.get("find_rate") or "").strip()
    return {**given, "arrival": Default(USUAL)} if searches and not _is_given(given.get("arrival")) else given


def _is_given(value: object) -> bool:
    return value not in (None, False, "") and not isinstance(value, Default)


TEXT_LISTS = ("require", "variants", "fault")
"""Settings that are lists of texts, separated by semicolons; the flag may be repeated."""
CREDENTIALS = find_credentials(Settings)
"""Each credential, and the setting with the address that it may be sent to."""


def is_set_on_page(name: str) -> bool:
    """Whether Locust's page may set a setting; the others are fixed when the process starts."""
    field = Settings.model_fields[name]
    asked = declared(field, "page")
    return field.annotation is not str and not is_secret(field) if asked is None else bool(asked)


def is_shown_on_page(name: str) -> bool:
    """Whether Locust's page shows a setting at all."""
    return not declared(Settings.model_fields[name], "hidden")


def as_text(value: object) -> str:
    """A value as a person would type it: (1, 8) is 1,8 and {"M": 16} is M=16."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Mapping):
        return ",".join(f"{key}={part}" for key, part in value.items())
    if isinstance(value, tuple | list):
        return ",".join(f"{part:g}" if isinstance(part, float) else str(part) for part in value)
    return str(value)
