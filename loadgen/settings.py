"""What was asked for: one frozen model. Each field is a flag, a `LOADGEN_*` variable and a key of a config file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from loadgen.conflicts import find_conflicts
from loadgen.faults import Fault, SettingsError

WHOLE_NUMBERS = "Give whole numbers with commas"
HIGHEST_PORT = 65_535
METRICS = ("COSINE", "IP", "L2")
CONSISTENCY_LEVELS = ("Strong", "Session", "Bounded", "Eventually")
INDEX_DEFAULTS: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    "HNSW": ({"M": 16, "efConstruction": 200}, {"ef": 64}),
    "FLAT": ({}, {}),
    "IVF_FLAT": ({"nlist": 128}, {"nprobe": 16}),
    "IVF_SQ8": ({"nlist": 128}, {"nprobe": 16}),
    "IVF_PQ": ({"nlist": 128, "m": 16}, {"nprobe": 16}),
    "SCANN": ({"nlist": 128}, {"nprobe": 16}),
    "DISKANN": ({}, {"search_list": 100}),
    "AUTOINDEX": ({}, {}),
}
"""Index types of Milvus for float vectors, each with the parameters that are used where none are given."""


def _parameters(given: object) -> object:
    """Read `M=16,efConstruction=200` or a JSON object; anything else is left for the model to refuse."""
    if not isinstance(given, str):
        return given
    text = given.strip()
    if not text.startswith("{"):
        pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
        if not all(key.strip() and mark and value.strip() for key, mark, value in pairs):
            raise ValueError("is neither JSON nor key=value pairs")
        text = "{" + ",".join(f"{json.dumps(key.strip())}:{_literal(value)}" for key, _, value in pairs) + "}"
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"is no JSON object ({error.msg})") from None


def _literal(text: str) -> str:
    try:
        return json.dumps(json.loads(text))
    except json.JSONDecodeError:
        return json.dumps(text.strip())


def _numbers(given: object) -> object:
    """Read `1,8,32` as (1, 8, 32)."""
    return [part.strip() for part in given.split(",") if part.strip()] if isinstance(given, str) else given


def _words(given: object) -> object:
    """Read `text,doc_id` as ("text", "doc_id")."""
    return _numbers(given)


def _texts(given: object) -> object:
    """Read one text, or several with semicolons between them."""
    parts = given.split(";") if isinstance(given, str) else given
    return [str(part).strip() for part in parts if str(part).strip()] if isinstance(parts, list | tuple) else parts


def _port(given: object) -> object:
    """Read a port as text, or `off`; configuration files in YAML turn an unquoted off into false."""
    text = str(given).strip().lower()
    if text in ("off", "false"):
        return "off"
    if not (text.isdecimal() and int(text) <= HIGHEST_PORT):
        raise ValueError(f"is neither a port up to {HIGHEST_PORT} nor off")
    return int(text)


def _spelling(names: tuple[str, ...]) -> BeforeValidator:
    """Accept a name in any case: `cosine` is COSINE."""
    known = {name.lower(): name for name in names}
    return BeforeValidator(lambda given: known.get(given.strip().lower(), given) if isinstance(given, str) else given)


Parameters = Annotated[dict[str, Any], BeforeValidator(_parameters)]
Counts = Annotated[tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(_numbers), Field(min_length=1)]
Rates = Annotated[
    tuple[Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)], ...], BeforeValidator(_numbers)
]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Port = Annotated[int | Literal["off"], BeforeValidator(_port)]
Metric = Annotated[Literal["COSINE", "IP", "L2"], _spelling(METRICS)]
Index = Annotated[
    Literal["HNSW", "FLAT", "IVF_FLAT", "IVF_SQ8", "IVF_PQ", "SCANN", "DISKANN", "AUTOINDEX"],
    _spelling(tuple(INDEX_DEFAULTS)),
]
Consistency = Annotated[Literal["Strong", "Session", "Bounded", "Eventually"], _spelling(CONSISTENCY_LEVELS)]


def setting(default: Any, text: str, *, unit: str = "", way_out: str = "", **limits: Any) -> Any:
    """A field with its help text, its unit (empty for counts and names) and what to do when it is wrong."""
    return Field(default, description=text, json_schema_extra={"unit": unit, "way_out": way_out}, **limits)


class Settings(BaseModel):
    """All that a run is asked to do. Times are seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    # The server
    host: str = setting("", "address of Milvus or Zilliz Cloud (Locust's own --host); none starts an embedded server")
    token: SecretStr = setting(
        SecretStr(""), "token, or user:password; better in LOADGEN_TOKEN than on the command line"
    )
    database: str = setting("", "database; empty is the server's default")
    embedded: Literal["auto", "milvus", "lite"] = setting(
        "auto", "server started where --host is not given: the real Milvus standalone (extra 'server') or Milvus Lite"
    )
    connections: int = setting(1, "gRPC connections of each mode in each process; users take turns", ge=1, le=1024)
    deadline: float = setting(30.0, "an operation not answered by then is a timeout", unit="s", gt=0, le=600)
    retries: int = setting(0, "retries of a failed RPC inside pymilvus; they count as latency", ge=0, le=75)
    ca_file: str = setting("", "PEM file of the certificate authority, for mutual TLS")
    client_cert_file: str = setting("", "PEM file of the client's certificate, for mutual TLS")
    client_key_file: str = setting("", "PEM file of the client's key, for mutual TLS")
    server_cert_file: str = setting("", "PEM file of the server's certificate, for one-way TLS")
    server_name: str = setting("", "name in the server's certificate where it differs from the address")

    # The collection
    collection: str = setting(
        "loadgen",
        "collection to use",
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
    rows: int = setting(10_000, "rows in the collection before the load starts", ge=1)
    seed: int = setting(1, "seed of the data and the queries", ge=0, le=2**63 - 1)
    clusters: int = setting(64, "clusters that the vectors are drawn from", ge=1)
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
        20, "one search in so many is compared with the exact neighbours, off the clock; 0: none", ge=0
    )
    cache: str = setting("", "folder that keeps exact neighbours; empty is ~/.cache/milvus-loadgen")

    # The run
    mode: Literal["compare", "sync", "async"] = setting(
        "compare", "both modes one after another at each concurrency, or one mode with Locust's own -u, -r and -t"
    )
    concurrency: Counts = setting(
        (1, 8, 32), "users in each phase of a compare run, with commas", way_out=f"{WHOLE_NUMBERS}, such as 1,8,32"
    )
    arrival: Literal["closed", "constant", "poisson"] = setting(
        "closed", "users who wait for their answer, or arrivals at --rate, evenly spaced or at random"
    )
    rate: Rates = setting(
        (),
        "arrivals per second in each phase of an open run, with commas",
        way_out="Give numbers above 0 with commas, such as 50,100,200",
    )
    max_in_flight: int = setting(
        256, "operations of an open run under way at once in each process, for sync the threads", ge=1, le=10_000
    )
    max_wait: float = setting(
        1.0, "how long an arrival may wait for a place in flight, then it is dropped", unit="s", ge=0, le=600
    )
    rounds: int = setting(2, "rounds of sync, async, async, sync at each concurrency or rate", ge=1, le=1_000)
    phase_seconds: float = setting(10.0, "measured length of a phase", unit="s", gt=0, le=86_400)
    warmup_seconds: float = setting(2.0, "load before the measured part of a phase", unit="s", ge=0, le=86_400)
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
    max_failures: str = setting("", "failed operations that still count as success, such as 1% or 10; empty: none")
    max_empty: str = setting(
        "1%", "share of searches that may find nothing; above it a comparison is invalid and the run fails"
    )

    # The metrics
    metrics_port: Port = setting(
        9646,
        "port of /metrics for Prometheus, the next free one where it is taken; 0 takes any, off serves none",
        way_out="Give a port, 0 or off",
    )
    metrics_bind: str = setting("127.0.0.1", "address that /metrics is served on; 0.0.0.0 for all of this machine's")
    metrics_targets: str = setting(
        "", "JSON file that tells a Prometheus on this machine the processes to scrape (its file discovery)"
    )
    metrics_linger: float = setting(
        0.0, "how long /metrics stays after the run, for a last scrape; Ctrl-C ends it", unit="s", ge=0, le=3_600
    )

    @classmethod
    def parse(cls, given: Mapping[str, object]) -> Self:
        """Read settings from text or values; a missing or None key takes its default.

        Raises `SettingsError` with *all* faults, also those between two settings.
        """
        values = {name: value for name, value in given.items() if value is not None}
        faults: list[Fault] = []
        wrong: set[str] = set()
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            wrong = {str(item["loc"][0]) for item in error.errors()}
            faults = [_fault(name, values.get(name), error, cls) for name in values if name in wrong]
            settings = cls.model_validate({name: value for name, value in values.items() if name not in wrong})
        faults += [fault for fault, names in find_conflicts(settings) if not wrong & set(names)]
        if faults:
            raise SettingsError(faults)
        return settings

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


def _fault(name: str, value: object, error: ValidationError, model: type[BaseModel]) -> Fault:
    """Say in our words what pydantic found wrong with one setting first."""
    item = next(item for item in error.errors() if item["loc"][0] == name)
    field = model.model_fields.get(name)
    extra = field.json_schema_extra if field and isinstance(field.json_schema_extra, dict) else {}
    allowed = item.get("ctx", {}).get("expected")
    way_out = str(extra.get("way_out") or "") or (f"Choose {allowed}" if allowed else _bounds(field))
    problem = item["msg"].removeprefix("Value error, ").replace("Input should be", "should be")
    shown = "" if isinstance(value, SecretStr) or name == "token" else str(value)
    return Fault(name, shown, problem[:1].lower() + problem[1:], way_out + ".")


def _bounds(field: FieldInfo | None) -> str:
    """Name the range of a number: `Choose a number from 1 to 256`."""
    named = find_limits(field)
    return f"Choose a number {named}" if named else "See --help"


def find_limits(field: FieldInfo | None) -> str:
    """The range of a number, such as `from 1 to 256`; empty where there is none."""
    limits = {
        name: value
        for mark in (field.metadata if field else ())
        if is_dataclass(mark) and not isinstance(mark, type)
        for name, value in asdict(mark).items()
    }
    words = {"ge": "from", "gt": "above", "le": "to", "lt": "below"}
    return " ".join(f"{words[name]} {limits[name]:,}" for name in words if name in limits)


def as_text(value: object) -> str:
    """A value as a person would type it: (1, 8) is 1,8 and {"M": 16} is M=16."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Mapping):
        return ",".join(f"{key}={part}" for key, part in value.items())
    if isinstance(value, tuple | list):
        return ",".join(f"{part:g}" if isinstance(part, float) else str(part) for part in value)
    return str(value)
