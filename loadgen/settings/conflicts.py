"""Conflicts between settings that are each valid."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr

from loadgen.settings.addresses import STRANGE, find_flaw, find_url_flaw, split_addresses
from loadgen.settings.arrival_conflicts import find_arrival_conflicts
from loadgen.settings.data_conflicts import find_data_conflicts
from loadgen.settings.data_settings import SYNTHETIC
from loadgen.settings.existing import find_existing_conflicts
from loadgen.settings.fault_grammar import find_fault_conflicts
from loadgen.settings.faults import Fault
from loadgen.settings.narrowing import find_narrowing_conflicts
from loadgen.settings.rag_conflicts import find_rag_conflicts, is_documents
from loadgen.settings.rate_search import find_rate_conflicts
from loadgen.settings.record_conflicts import find_record_conflicts
from loadgen.settings.search_kinds import find_kind_conflicts
from loadgen.settings.sweep import find_sweep_conflicts
from loadgen.settings.variants import PER_VARIANT, find_variant_faults
from loadgen.text.listing import count_of
from loadgen.text.plain_text import CONTROLS, one_line
from loadgen.text.surroundings import is_in_pod

if TYPE_CHECKING:
    from loadgen.settings.model import Settings

Conflict = tuple[Fault, tuple[str, ...]]
"""A fault between settings, and the names of the settings involved."""
LEASES = "loadgen_leases"
"""The collection in which this tool records which run uses which collection."""
SCHEMES = ("http", "https", "tcp", "unix")
FILES = ("ca_file", "client_cert_file", "client_key_file", "server_cert_file")


def find_conflicts(settings: "Settings") -> list[Conflict]:
    """All conflicts, each with the names of the settings involved."""
    result = [
        *_own_collection(settings),
        *find_existing_conflicts(settings),
        *find_narrowing_conflicts(settings),
        *find_kind_conflicts(settings),
        *find_rag_conflicts(settings),
        *_characters(settings),
        *(*_address(settings), *_files(settings), *_sizes(settings)),
        *(*_times(settings), *_duplicate_levels(settings), *find_arrival_conflicts(settings), *_targets(settings)),
        *_scale_workers(settings),
        *find_sweep_conflicts(settings),
        *_server_metrics(settings),
        *find_fault_conflicts(settings),
        *find_rate_conflicts(settings),
        *_otlp(settings),
        *find_record_conflicts(settings),
    ]
    return [*result, *_variants(settings, [fault for fault, _ in result])]


def _variants(settings: "Settings", known: list[Fault]) -> list[Conflict]:
    names = ("variants", "baseline", "mode", *PER_VARIANT)
    return [(fault, names) for fault in find_variant_faults(settings, known)]


def _own_collection(settings: "Settings") -> list[Conflict]:
    if settings.collection != LEASES:
        return []
    problem = "is reserved for this tool's leases"
    return [(Fault("collection", LEASES, problem, "Choose another name."), ("collection",))]


def _server_metrics(settings: "Settings") -> list[Conflict]:
    result = [
        Fault("server_metrics", url, flaw, "Give addresses such as http://milvus:9091/metrics.")
        for url in split_addresses(settings.server_metrics)
        if (flaw := find_url_flaw(url))
    ]
    return [(fault, ("server_metrics",)) for fault in result]


def _otlp(settings: "Settings") -> list[Conflict]:
    flaw = find_url_flaw(settings.otlp) if settings.otlp else ""
    if not flaw:
        return []
    hint = "Give the base URL, such as http://127.0.0.1:4318; headers belong in OTEL_EXPORTER_OTLP_HEADERS."
    return [(Fault("otlp", without_secret(settings.otlp), flaw, hint), ("otlp",))]


def _characters(settings: "Settings") -> list[Conflict]:
    """Control characters, which a terminal, a log, a file system or a request header would interpret."""
    conflicts: list[Conflict] = []
    for name, value in settings:
        if name == "host":  # has a stricter rule
            continue
        strange = next((one[0] for text in _texts(value) if (one := CONTROLS.search(text))), "")
        if strange:
            shown = "" if isinstance(value, SecretStr) else ",".join(_texts(value))
            problem = f"contains a control character ({one_line(strange)})"
            conflicts.append((Fault(name, shown, problem, "Omit it."), (name,)))
    return conflicts


def _texts(value: object) -> Iterator[str]:
    """All texts in a value: itself, its items and its keys."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from (*_texts(key), *_texts(part))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)


def _address(settings: "Settings") -> list[Conflict]:
    if not settings.host:
        return []
    hint = "Give an address such as http://my-milvus:19530."
    if not is_in_pod():
        hint = "Give an address such as http://127.0.0.1:19530, or none to start a server."
    scheme = settings.host.partition(":")[0].lower()
    shown = without_secret(settings.host)
    if flaw := find_flaw(settings.host):
        shown = STRANGE.sub("?", shown)
        return [(Fault("host", shown, flaw, hint), ("host",))]
    if settings.host.endswith(".db"):
        problem = "would run Milvus Lite inside the load generator, which would distort every figure"
        return [(Fault("host", shown, problem, "Use --embedded lite."), ("host",))]
    if scheme not in SCHEMES:
        return [(Fault("host", shown, f"is not an address that starts with {', '.join(SCHEMES)}", hint), ("host",))]
    flaw = _find_place_flaw(settings.host, scheme)
    return [(Fault("host", shown, flaw, hint), ("host",))] if flaw else []


def _find_place_flaw(address: str, scheme: str) -> str:
    """What is wrong with an address after its scheme; empty if nothing is."""
    try:
        parts = urlsplit(address)
        name = address.partition(":")[2].strip("/") if scheme == "unix" else (parts.hostname or "").strip(".")
        if parts.port == 0:  # pymilvus would use its default
            return "has port 0, on which no server listens"
    except ValueError as error:
        return f"is not an address ({error})"
    return "" if name else "names no host"


def without_secret(address: str) -> str:
    """The address with its password masked: http://user:***@host."""
    head, mark, tail = address.rpartition("@")
    scheme, colon, _ = head.partition("://")
    return f"{scheme + colon if colon else ''}***@{tail}" if mark else address


def _files(settings: "Settings") -> list[Conflict]:
    conflicts: list[Conflict] = []
    for name in FILES:
        path = getattr(settings, name)
        if path and not is_file(path):
            conflicts.append((Fault(name, path, "is not a file", "Give the path of a PEM file."), (name,)))
    return [*conflicts, *_client_files(settings)]


def is_file(path: str) -> bool:
    """Whether the file exists; False for an invalid path."""
    try:
        return Path(path).is_file()
    except OSError:  # such as a name that is too long
        return False


def _client_files(settings: "Settings") -> list[Conflict]:
    """A client certificate requires its key, and pymilvus sends it only with a file to verify the server."""
    pair, trusted = (settings.client_cert_file, settings.client_key_file), settings.ca_file or settings.server_cert_file
    names = ("client_cert_file", "client_key_file")
    if any(pair) and not all(pair):
        missing, given = names if pair[1] else reversed(names)
        problem = f"is required with {_flag(given)}"
        return [(Fault(missing, "", problem, "Mutual TLS needs the certificate and its key."), names)]
    if all(pair) and not trusted:
        problem = "is required with --client-cert-file and --client-key-file"
        hint = "Give the PEM file of the CA that signed the server's certificate: pymilvus requires it here."
        return [(Fault("ca_file", "", problem, hint), ("ca_file", "server_cert_file", *names))]
    return []


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _sizes(settings: "Settings") -> list[Conflict]:
    # Others are checked when they are opened.
    is_known = settings.dataset == SYNTHETIC and not settings.existing and not is_documents(settings)
    result = find_data_conflicts(settings) if is_known else []
    if (
        is_known
        and settings.clusters > settings.rows
        and settings.clusters != type(settings).model_fields["clusters"].default
    ):
        fault = Fault(
            "clusters",
            str(settings.clusters),
            f"are more than the {count_of(settings.rows, 'row')}",
            "Lower --clusters.",
        )
        result.append((fault, ("clusters", "rows")))
    ef = settings.search_params.get("ef")
    if settings.index_type == "HNSW" and isinstance(ef, int) and ef < settings.fetched:
        what = f"top_k {settings.top_k}"
        if settings.fetched > settings.top_k:
            what = f"the {settings.fetched} rows that an MMR search for {what} fetches"
        fault = Fault("search_params", f"ef={ef}", f"is below {what}", f"Set ef to {settings.fetched} or more.")
        result.append((fault, ("search_params", "top_k", "index_type", "search_kind")))
    if settings.index_type == "AUTOINDEX" and settings.index_params:
        fault = Fault(
            "index_params", str(settings.index_params), "cannot be set for AUTOINDEX", "Omit them or name an index."
        )
        result.append((fault, ("index_params", "index_type")))
    return result


def _times(settings: "Settings") -> list[Conflict]:
    if settings.warmup_seconds <= settings.phase_seconds:
        return []
    fault = Fault(
        "warmup_seconds",
        f"{settings.warmup_seconds:g}",
        f"is longer than a phase of {settings.phase_seconds:g} s",
        "Lower --warmup-seconds or raise --phase-seconds.",
    )
    return [(fault, ("warmup_seconds", "phase_seconds"))]


def _duplicate_levels(settings: "Settings") -> list[Conflict]:
    """A level given twice would be measured twice and reported as one."""
    conflicts: list[Conflict] = []
    for name in ("concurrency", "rate", "scale_workers"):
        levels = getattr(settings, name)
        if len(set(levels)) < len(levels):
            shown, once = (",".join(f"{level:g}" for level in some) for some in (levels, dict.fromkeys(levels)))
            hint = f"Use --{name.replace('_', '-')} {once}, and --rounds to measure each more often."
            conflicts.append((Fault(name, shown, "names a level twice", hint), (name,)))
    return conflicts


def _scale_workers(settings: "Settings") -> list[Conflict]:
    """Numbers of workers are load levels: with several other ones, two could have the same load in total."""
    if not settings.scale_workers:
        return []
    name, shown = "scale_workers", ",".join(map(str, settings.scale_workers))
    conflicts: list[Conflict] = []
    load = "concurrency" if settings.arrival == "closed" else "rate"
    levels = getattr(settings, load)
    if len(levels) > 1:
        problem = f"needs one load level, but --{load} has {len(levels)}"
        hint = f"Give the load of one worker, such as --{load} {levels[0]:g}."
        conflicts.append((Fault(name, shown, problem, hint), (name, "arrival", load)))
    if settings.mode != "compare":
        problem = f"is for --mode compare, but --mode is {settings.mode}"
        conflicts.append((Fault(name, shown, problem, f'Use --variants "{settings.mode}".'), (name, "mode")))
    return conflicts


def _targets(settings: "Settings") -> list[Conflict]:
    """Prometheus reads only target files with certain names, and ignores others silently."""
    conflicts: list[Conflict] = []
    name, given = "metrics_targets", settings.metrics_targets
    if given and settings.metrics_port == "off":
        fault = Fault(name, given, "has no effect with --metrics-port off", "Omit one of the two.")
        conflicts.append((fault, (name, "metrics_port")))
    if given and Path(given).suffix != ".json":
        conflicts.append((Fault(name, given, "does not end with .json", "Prometheus ignores other names."), (name,)))
    if given and not _is_in_folder(given):
        conflicts.append((Fault(name, given, "is in a missing folder", "Create the folder first."), (name,)))
    return conflicts


def _is_in_folder(path: str) -> bool:
    try:
        return Path(path).absolute().parent.is_dir()
    except OSError:
        return False
