"""The settings: one frozen model. Each field is a flag, a `LOADGEN_*` variable and a key of a config file."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr, ValidationError

from loadgen.settings.conflicts import find_conflicts
from loadgen.settings.credentials import declared, find_credentials, is_secret, take_secrets
from loadgen.settings.describing import describe_fault
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.values import (
    INDEX_DEFAULTS,
    Consistency,
    Counts,
    Index,
    Metric,
    Parameters,
    Port,
    Rates,
    Texts,
    Words,
)

WHOLE_NUMBERS = "Give whole numbers from 1 to 1,000,000 with commas"
ON_PAGE: dict[str, JsonValue] = {"page": True}
NOT_ON_PAGE: dict[str, JsonValue] = {"page": False}
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


class Settings(BaseModel):
    """Everything that can be set for a run. Times are seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    # The server
    host: str = setting(
        "", "address of Milvus or Zilliz Cloud (Locust's --host); default: start an embedded server", declares=ON_PAGE
    )
    token: SecretStr = setting(
        SecretStr(""),
        "token, or user:password; prefer LOADGEN_TOKEN to the command line",
        declares={"page": True, "address": "host"},
    )
    database: str = setting("", "database; default: the server's", declares=ON_PAGE)
    embedded: Literal["auto", "milvus", "lite"] = setting(
        "auto", "server to start without --host: Milvus standalone (extra 'server') or Milvus Lite"
    )
    connections: int = setting(
        1, "gRPC connections per variant and process, shared by its users in turn", ge=1, le=1024
    )
    deadline: float = setting(30.0, "time after which an unanswered operation is a timeout", unit="s", gt=0, le=600)
    retries: int = setting(0, "retries of a failed RPC by pymilvus; they count as latency", ge=0, le=75)
    ca_file: str = setting("", "PEM file of the CA that signed the server's certificate; enables TLS")
    client_cert_file: str = setting(
        "", "PEM file of the client certificate, for mutual TLS; requires its key", declares=OF_HOST
    )
    client_key_file: str = setting("", "PEM file of the client key, for mutual TLS", declares=OF_HOST)
    server_cert_file: str = setting(
        "", "PEM file of the server certificate: trust only this one, whatever --ca-file is"
    )
    server_name: str = setting("", "name in the server certificate, if it differs from the address")

    # The collection
    collection: str = setting(
        "loadgen",
        "collection to use",
        declares=ON_PAGE,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,254}$",
        hint="Use letters, digits and underscores, not a digit first",
    )
    dim: int = setting(768, "dimension of the vectors", ge=2, le=32_768)
    metric: Metric = setting("COSINE", "similarity metric")
    index_type: Index = setting("HNSW", "index type")
    index_params: Parameters = setting(
        {}, "index parameters, M=16,efConstruction=200 or JSON; default: chosen for the index type"
    )
    search_params: Parameters = setting({}, "search parameters, ef=64 or JSON; default: chosen for the index type")
    consistency: Consistency = setting("Bounded", "consistency level of the collection")
    output_fields: Words = setting(
        (), "fields that a search returns, comma-separated; default: all, including the vector"
    )
    upsert: bool = setting(False, "insert by upsert, as MilvusVectorStore(upsert_mode=True) does")
    fresh: bool = setting(False, "drop this tool's collection and reload it")
    overwrite: bool = setting(False, "allow dropping a collection that this tool did not create")

    # The data
    rows: int = setting(10_000, "rows in the collection before the load starts", ge=1, le=10**10)
    seed: int = setting(1, "seed of the data and the queries", ge=0, le=2**63 - 1)
    clusters: int = setting(64, "clusters from which the vectors are drawn", ge=1, le=1_000_000)
    spread: float = setting(0.3, "size of a cluster relative to the length of its centre", gt=0, le=10)
    queries: int = setting(1_000, "distinct queries, generated before the run", ge=1, le=1_000_000)
    batch_size: int = setting(100, "nodes per RPC, when inserting and loading", ge=1, le=100_000)
    load_in_flight: int = setting(4, "concurrent batches while loading", ge=1, le=256)

    # The operations
    top_k: int = setting(
        10, "neighbours requested by a search", ge=1, le=16_384, hint="Choose 1 to 16384, Milvus's limit"
    )
    nodes_per_insert: int = setting(1, "nodes per insert operation", ge=1, le=100_000)
    recall_every: int = setting(
        20, "check every n-th search against the exact neighbours, outside the measured time; 0: none", ge=0, le=10**9
    )
    cache: str = setting("", "folder that caches exact neighbours; default: ~/.cache/milvus-loadgen")

    # The run
    mode: Literal["compare", "sync", "async"] = setting(
        "compare", "compare sync and async at each load level, or run one mode with Locust's own -u, -r and -t"
    )
    variants: Texts = setting(
        (),
        "what to compare, such as 'sync; async; async connections=4': modes and the settings in which they differ",
        declares=ON_PAGE,
    )
    baseline: str = setting("", "variant to compare the others with; default: the first", declares=ON_PAGE)
    concurrency: Counts = setting(
        (1, 8, 32), "load levels in users, comma-separated", hint=f"{WHOLE_NUMBERS}, such as 1,8,32"
    )
    arrival: Literal["closed", "constant", "poisson"] = setting(
        "closed", "closed: users wait for their answer; constant, poisson: arrivals at --rate, evenly spaced or random"
    )
    rate: Rates = setting(
        (),
        "load levels of an open run in arrivals per second, comma-separated",
        hint="Give numbers from 0.001 to 1,000,000 with commas, such as 50,100,200",
    )
    max_in_flight: int = setting(
        256, "maximum concurrent operations per process (open model); threads, for sync", ge=1, le=10_000
    )
    max_wait: float = setting(1.0, "maximum time an arrival may queue before it is dropped", unit="s", ge=0, le=600)
    rounds: int = setting(
        2,
        "rounds per load level; a round runs all variants forward and back: sync, async, async, sync",
        ge=1,
        le=1_000,
    )
    phase_seconds: float = setting(10.0, "measured duration of a phase", unit="s", ge=0.01, le=86_400)
    warmup_seconds: float = setting(2.0, "warm-up before the measured part of a phase", unit="s", ge=0, le=86_400)
    give_up_after: float = setting(
        30.0,
        "end the run after this time without a success (at least one deadline); 0: never",
        unit="s",
        ge=0,
        le=86_400,
    )
    worker_grace: float = setting(
        120.0,
        "maximum time to wait for a replacement of a lost worker before its phase is repeated",
        unit="s",
        ge=0,
        le=86_400,
    )
    burst: Counts = setting(
        (10, 100, 1_000), "operations per burst, comma-separated", hint=f"{WHOLE_NUMBERS}, such as 10,100,1000"
    )

    # The result
    record: str = setting("runs", "folder for the run record; empty: none")
    report: Literal["html", "markdown", "none"] = setting(
        "html", "report to write next to the record at the end of the run"
    )
    print_record: bool = setting(False, "print the run record at the end, to keep it in the log")
    require: Texts = setting((), "requirement for exit code 0, such as 'search async p99 < 50 ms'; repeatable")
    max_failures: str = setting("", "failed operations to tolerate, such as 1% or 10; default: none", declares=ON_PAGE)
    max_empty: str = setting(
        "1%",
        "maximum share of empty answers; above it, a comparison is invalid and the run fails",
        declares=ON_PAGE,
    )

    # The metrics
    metrics_port: Port = setting(
        9646,
        "port of /metrics for Prometheus, or the next free one; 0: any; off: none",
        hint="Give a port, 0 or off",
        declares=NOT_ON_PAGE,
    )
    metrics_bind: str = setting("127.0.0.1", "address on which /metrics is served; 0.0.0.0: all interfaces")
    metrics_targets: str = setting(
        "", "JSON file for the file discovery of a local Prometheus; lists the processes to scrape"
    )
    metrics_linger: float = setting(
        0.0,
        "time to keep /metrics up after the run, for a final scrape; Ctrl-C ends it",
        unit="s",
        declares=NOT_ON_PAGE,
        ge=0,
        le=3_600,
    )

    @classmethod
    def parse(cls, given: Mapping[str, object]) -> Self:
        """Read settings from text or values; a missing or None key takes its default.

        A password in an address is moved to the setting for that secret. Raises `SettingsError` with *all* faults,
        including conflicts between settings.
        """
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
        return settings

    def as_message(self) -> dict[str, Any]:
        """All settings as plain values to send to a worker, secrets included."""
        return {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in self.model_dump().items()
        }

    @property
    def index_config(self) -> dict[str, Any]:
        """For MilvusVectorStore: the index type with its parameters."""
        return {"index_type": self.index_type, **(self.index_params or INDEX_DEFAULTS[self.index_type][0])}

    @property
    def search_config(self) -> dict[str, Any]:
        """For MilvusVectorStore: the search parameters; HNSW's `ef` is never below top_k."""
        chosen = dict(self.search_params or INDEX_DEFAULTS[self.index_type][1])
        if self.index_type == "HNSW" and not self.search_params:
            chosen["ef"] = max(chosen["ef"], self.top_k)
        return chosen


TEXT_LISTS = ("require", "variants")
"""Settings that are lists of texts, separated by semicolons; the flag may be repeated."""
CREDENTIALS = find_credentials(Settings)
"""Each credential, and the setting with the address that it may be sent to."""


def is_set_on_page(name: str) -> bool:
    """Whether Locust's page may set a setting; the others are fixed when the process starts."""
    field = Settings.model_fields[name]
    asked = declared(field, "page")
    return field.annotation is not str and not is_secret(field) if asked is None else bool(asked)


def as_text(value: object) -> str:
    """A value as a person would type it: (1, 8) is 1,8 and {"M": 16} is M=16."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Mapping):
        return ",".join(f"{key}={part}" for key, part in value.items())
    if isinstance(value, tuple | list):
        return ",".join(f"{part:g}" if isinstance(part, float) else str(part) for part in value)
    return str(value)
