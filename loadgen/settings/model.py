"""What was asked for: one frozen model. Each field is a flag, a `LOADGEN_*` variable and a key of a config file."""

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
    way_out: str = "",
    declares: Mapping[str, JsonValue] = MappingProxyType({}),
    **limits: Any,
) -> Any:
    """A field with its help text, its unit (empty for counts and names) and what to do when it is wrong.

    It may declare two things. `address`, for a credential: the name of the setting that holds the address which it may
    be sent to. `page`: whether Locust's page may set it; undeclared, numbers, choices and switches may be set there,
    and free text, which could name a file, may not.
    """
    return Field(default, description=text, json_schema_extra={"unit": unit, "way_out": way_out, **declares}, **limits)


class Settings(BaseModel):
    """All that a run is asked to do. Times are seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    # The server
    host: str = setting(
        "", "address of Milvus or Zilliz Cloud (Locust's own --host); none starts an embedded server", declares=ON_PAGE
    )
    token: SecretStr = setting(
        SecretStr(""),
        "token, or user:password; better in LOADGEN_TOKEN than on the command line",
        declares={"page": True, "address": "host"},
    )
    database: str = setting("", "database; empty is the server's default", declares=ON_PAGE)
    embedded: Literal["auto", "milvus", "lite"] = setting(
        "auto", "server started where --host is not given: the real Milvus standalone (extra 'server') or Milvus Lite"
    )
    connections: int = setting(1, "gRPC connections of each mode in each process; users take turns", ge=1, le=1024)
    deadline: float = setting(30.0, "an operation not answered by then is a timeout", unit="s", gt=0, le=600)
    retries: int = setting(0, "retries of a failed RPC inside pymilvus; they count as latency", ge=0, le=75)
    ca_file: str = setting("", "PEM file of the authority that signed the server's certificate; turns TLS on")
    client_cert_file: str = setting(
        "", "PEM file of the client's certificate, for mutual TLS; needs its key", declares=OF_HOST
    )
    client_key_file: str = setting("", "PEM file of the client's key, for mutual TLS", declares=OF_HOST)
    server_cert_file: str = setting(
        "", "PEM file of the server's own certificate, to trust that one alone, whatever --ca-file says"
    )
    server_name: str = setting("", "name in the server's certificate where it differs from the address")

    # The collection
    collection: str = setting(
        "loadgen",
        "collection to use",
        declares=ON_PAGE,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,254}$",
        way_out="Use letters, digits and underscores, not a digit first",
    )
    dim: int = setting(768, "dimension of the vectors", ge=2, le=32_768)
    metric: Metric = setting("COSINE", "similarity metric")
    index_type: Index = setting("HNSW", "index type")
    index_params: Parameters = setting(
        {}, "index parameters, M=16,efConstruction=200 or JSON; empty takes this tool's for the index type"
    )
    search_params: Parameters = setting(
        {}, "search parameters, ef=64 or JSON; empty takes this tool's for the index type"
    )
    consistency: Consistency = setting("Bounded", "consistency level of the collection")
    output_fields: Words = setting((), "fields a search returns, with commas; empty is all, vector included")
    upsert: bool = setting(False, "insert with upsert, as MilvusVectorStore(upsert_mode=True) does")
    fresh: bool = setting(False, "drop this tool's collection and load it anew")
    overwrite: bool = setting(False, "allow to drop a collection that this tool has not made")

    # The data
    rows: int = setting(10_000, "rows in the collection before the load starts", ge=1, le=10**10)
    seed: int = setting(1, "seed of the data and the queries", ge=0, le=2**63 - 1)
    clusters: int = setting(64, "clusters that the vectors are drawn from", ge=1, le=1_000_000)
    spread: float = setting(0.3, "size of a cluster, as a part of its centre's length", gt=0, le=10)
    queries: int = setting(1_000, "different queries, made before the clock starts", ge=1, le=1_000_000)
    batch_size: int = setting(100, "nodes in one RPC of an insert or of the loading", ge=1, le=100_000)
    load_in_flight: int = setting(4, "batches under way at once while loading", ge=1, le=256)

    # The operations
    top_k: int = setting(
        10, "neighbours that a search asks for", ge=1, le=16_384, way_out="Choose 1 to 16384, Milvus's own limit"
    )
    nodes_per_insert: int = setting(1, "nodes in one insert operation", ge=1, le=100_000)
    recall_every: int = setting(
        20, "one search in so many is compared with the exact neighbours, off the clock; 0: none", ge=0, le=10**9
    )
    cache: str = setting("", "folder that keeps exact neighbours; empty is ~/.cache/milvus-loadgen")

    # The run
    mode: Literal["compare", "sync", "async"] = setting(
        "compare", "both modes one after another at each load level, or one mode with Locust's own -u, -r and -t"
    )
    variants: Texts = setting(
        (),
        "what is compared, such as 'sync; async; async connections=4': modes, and settings in which they differ",
        declares=ON_PAGE,
    )
    baseline: str = setting("", "variant that all others are compared with; default: the first", declares=ON_PAGE)
    concurrency: Counts = setting(
        (1, 8, 32), "users in each phase of a compare run, with commas", way_out=f"{WHOLE_NUMBERS}, such as 1,8,32"
    )
    arrival: Literal["closed", "constant", "poisson"] = setting(
        "closed", "users who wait for their answer, or arrivals at --rate, evenly spaced or at random"
    )
    rate: Rates = setting(
        (),
        "arrivals per second in each phase of an open run, with commas",
        way_out="Give numbers from 0.001 to 1,000,000 with commas, such as 50,100,200",
    )
    max_in_flight: int = setting(
        256, "operations of an open run under way at once in each process, for sync the threads", ge=1, le=10_000
    )
    max_wait: float = setting(
        1.0, "how long an arrival may wait for a place in flight, then it is dropped", unit="s", ge=0, le=600
    )
    rounds: int = setting(
        2,
        "rounds at each load level, all variants forward and back: sync, async, async, sync",
        ge=1,
        le=1_000,
    )
    phase_seconds: float = setting(10.0, "measured length of a phase", unit="s", ge=0.01, le=86_400)
    warmup_seconds: float = setting(2.0, "load before the measured part of a phase", unit="s", ge=0, le=86_400)
    give_up_after: float = setting(
        30.0,
        "seconds without a single success that end the run, at least one deadline; 0 never does",
        unit="s",
        ge=0,
        le=86_400,
    )
    worker_grace: float = setting(
        120.0,
        "how long a run waits for another worker in place of a lost one, to measure its phase again",
        unit="s",
        ge=0,
        le=86_400,
    )
    burst: Counts = setting(
        (10, 100, 1_000), "operations in each burst, with commas", way_out=f"{WHOLE_NUMBERS}, such as 10,100,1000"
    )

    # The result
    record: str = setting("runs", "folder for the run record; empty keeps none")
    report: Literal["html", "markdown", "none"] = setting(
        "html", "report written beside the record at the end of a run"
    )
    print_record: bool = setting(False, "print the run record at the end, for a log that outlives the folder")
    require: Texts = setting((), "what the run has to reach, such as 'search async p99 < 50 ms'; may be repeated")
    max_failures: str = setting(
        "", "failed operations that still count as success, such as 1% or 10; empty: none", declares=ON_PAGE
    )
    max_empty: str = setting(
        "1%",
        "share of searches that may find nothing; above it a comparison is invalid and the run fails",
        declares=ON_PAGE,
    )

    # The metrics
    metrics_port: Port = setting(
        9646,
        "port of /metrics for Prometheus, the next free one where it is taken; 0 takes any, off serves none",
        way_out="Give a port, 0 or off",
        declares=NOT_ON_PAGE,
    )
    metrics_bind: str = setting("127.0.0.1", "address that /metrics is served on; 0.0.0.0 for all of this machine's")
    metrics_targets: str = setting(
        "", "JSON file that tells a Prometheus on this machine the processes to scrape (its file discovery)"
    )
    metrics_linger: float = setting(
        0.0,
        "how long /metrics stays after the run, for a last scrape; Ctrl-C ends it",
        unit="s",
        declares=NOT_ON_PAGE,
        ge=0,
        le=3_600,
    )

    @classmethod
    def parse(cls, given: Mapping[str, object]) -> Self:
        """Read settings from text or values; a missing or None key takes its default.

        A password in an address is moved to the setting of that secret. Raises `SettingsError` with *all* faults, also
        those between two settings.
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
        """All of them as plain values for the way to a worker, secrets included."""
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
"""Settings that are lists of texts with semicolons between them; they may be given several times."""
CREDENTIALS = find_credentials(Settings)
"""Each credential, and the setting that holds the address which it may be sent to."""


def is_set_on_page(name: str) -> bool:
    """Whether Locust's page may set a setting; the others are what the process was started with."""
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
