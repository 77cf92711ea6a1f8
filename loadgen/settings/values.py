"""Types of the settings: parsing text into values."""

import json
import math
import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from loadgen.settings.addresses import HIGHEST_PORT, PORT

BETWEEN_TEXTS = re.compile(r';(?=(?:[^"]*"[^"]*")*[^"]*$)')
DURATION = re.compile(r"(?:(?P<h>\d+(?:\.\d+)?)h)?(?:(?P<m>\d+(?:\.\d+)?)m)?(?:(?P<s>\d+(?:\.\d+)?)s?)?")
STEEPEST = 10
"""Highest exponent of a query skew."""
METRICS = ("COSINE", "IP", "L2")
SEARCH_KINDS = ("dense", "hybrid", "mmr")
DENSE, HYBRID, MMR = SEARCH_KINDS
MMR_FETCHES = 4
"""Rows that LlamaIndex fetches for each one that its MMR search returns (`DEFAULT_MMR_PREFETCH_FACTOR`)."""
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
"""Index types of Milvus for float vectors, each with its default index and search parameters."""


class Default(str):
    """The text of a setting that was not given: a value from the data, if any, replaces it."""

    __slots__ = ()


def read_parameters(given: object) -> object:
    """Read `M=16,efConstruction=200` or a JSON object; the model rejects anything else. Raises ValueError."""
    if not isinstance(given, str):
        return given
    text = given.strip()
    if not text.startswith("{"):
        pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
        if not all(key.strip() and mark and value.strip() for key, mark, value in pairs):
            raise ValueError("is neither JSON nor key=value pairs")
        text = "{" + ",".join(f"{json.dumps(key.strip())}:{_literal(value)}" for key, _, value in pairs) + "}"
    try:
        return _load(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not a JSON object ({error.msg})") from None


def _literal(text: str) -> str:
    try:
        return json.dumps(_load(text))
    except json.JSONDecodeError:
        return json.dumps(text.strip())


def _load(text: str) -> Any:
    """Read JSON without NaN or Infinity. Raises ValueError."""
    try:
        return json.loads(text, parse_constant=_finite, parse_float=_finite)
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"has a non-finite number ({text})")
    return number


def _numbers(given: object) -> object:
    """Read `1,8,32` as (1, 8, 32)."""
    return [part.strip() for part in given.split(",") if part.strip()] if isinstance(given, str) else given


def _words(given: object) -> object:
    """Read `text,doc_id` as ("text", "doc_id")."""
    return _numbers(given)


def _texts(given: object) -> object:
    """Split texts at semicolons, except within double quotes."""
    if not isinstance(given, str | list | tuple):
        return given
    listed = [given] if isinstance(given, str) else given
    parts = [part.strip() for text in listed for part in BETWEEN_TEXTS.split(str(text))]
    return [part for part in parts if part]


def _duration(given: object) -> object:
    """Read `600`, `90s`, `10m` or `1h30m` as seconds."""
    if not isinstance(given, str):
        return given
    parts = DURATION.fullmatch(given.strip().lower())
    if not given.strip() or parts is None:
        raise ValueError("is no time")
    return sum(float(parts[unit] or 0) * seconds for unit, seconds in (("h", 3600), ("m", 60), ("s", 1)))


def _port(given: object) -> object:
    """Read a port, or `off`; YAML turns an unquoted off into false."""
    text = str(given).strip().lower()
    if text in ("off", "false"):
        return "off"
    if not (PORT.fullmatch(text) and int(text) <= HIGHEST_PORT):
        raise ValueError(f"is neither a port up to {HIGHEST_PORT} nor off")
    return int(text)


def _skew(given: object) -> object:
    """Read `none` or `zipf:1.1`."""
    text = str(given).strip().lower()
    if text not in ("", "none"):
        find_exponent(text)
    return text or "none"


def find_exponent(skew: str) -> float:
    """The exponent of a skew; 0 for none. Raises ValueError."""
    if skew == "none":
        return 0.0
    kind, _, number = skew.partition(":")
    try:
        exponent = float(number) if kind == "zipf" else math.nan
    except ValueError:
        exponent = math.nan
    if not 0 < exponent <= STEEPEST:
        raise ValueError(f"is neither none nor zipf:EXPONENT with an exponent above 0 and up to {STEEPEST}")
    return exponent


def _spelling(names: tuple[str, ...]) -> BeforeValidator:
    """Accept a name in any case: `cosine` is COSINE."""
    known = {name.lower(): name for name in names}
    return BeforeValidator(lambda given: known.get(given.strip().lower(), given) if isinstance(given, str) else given)


Parameters = Annotated[dict[str, Any], BeforeValidator(read_parameters)]
Counts = Annotated[
    tuple[Annotated[int, Field(ge=1, le=1_000_000)], ...], BeforeValidator(_numbers), Field(min_length=1)
]
WorkerCounts = Annotated[tuple[Annotated[int, Field(ge=1, le=10_000)], ...], BeforeValidator(_numbers)]
Duration = Annotated[float, BeforeValidator(_duration)]
SearchKind = Annotated[Literal["dense", "hybrid", "mmr"], _spelling(SEARCH_KINDS)]
QuerySkew = Annotated[str, BeforeValidator(_skew)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Port = Annotated[int | Literal["off"], BeforeValidator(_port)]
Metric = Annotated[Literal["COSINE", "IP", "L2"], _spelling(METRICS)]
Index = Annotated[
    Literal["HNSW", "FLAT", "IVF_FLAT", "IVF_SQ8", "IVF_PQ", "SCANN", "DISKANN", "AUTOINDEX"],
    _spelling(tuple(INDEX_DEFAULTS)),
]
Consistency = Annotated[Literal["Strong", "Session", "Bounded", "Eventually"], _spelling(CONSISTENCY_LEVELS)]
