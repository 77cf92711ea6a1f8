"""The manifest stored with a collection: that it is ours, and the settings of its data."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import loadgen
from loadgen.datasets import ALIKE, Dataset, HasProbe, find_similarity
from loadgen.settings.data_settings import DOCUMENTS, SYNTHETIC
from loadgen.settings.faults import Fault
from loadgen.settings.model import Settings

MANIFEST_KEY = "loadgen.manifest"
"""The collection property with the manifest, as JSON."""
COMPACTION_KEY = "loadgen.compaction"
"""The collection property with the outcome of its last compaction. Absent from collections of earlier versions."""
COMPARED = ("rows", "dim", "metric", "index_type", "index_params", "consistency", "seed", "clusters", "spread")
"""Settings that determine a collection: a run with different ones needs another collection, or a fresh one."""
ADDED = ("text_bytes", "metadata", "partitions", "partition_key", "partition_skew")
"""The same; a manifest contains only those that were given."""
OF_DOCUMENTS = ("embedding", "chunk_size", "chunk_overlap")
"""The same, of chunks of documents."""
OF_CORPUS = ("rows", "dim")
"""Settings that documents and embedding decide, so that nobody can set them."""
PROBE = "probe"
"""What the model behind the vectors makes of a fixed text."""
OF_SYNTHETIC = ("seed", "clusters", "spread")
"""Of those, the ones that decide nothing if the rows are from a file."""


def make_manifest(settings: Settings, dataset: Dataset) -> dict[str, Any]:
    """The manifest of a collection created now. Raises SettingsError if a model behind its vectors does not answer."""
    probe = dataset.probe() if isinstance(dataset, HasProbe) else ""
    return _list_properties(settings, dataset) | ({PROBE: probe} if probe else {})


def _list_properties(settings: Settings, dataset: Dataset) -> dict[str, Any]:
    made_of = {name: getattr(settings, name) for name in COMPARED}
    if dataset.name != SYNTHETIC:
        made_of = {name: value for name, value in made_of.items() if name not in OF_SYNTHETIC}
        made_of["dataset"] = dataset.name
    if dataset.name == DOCUMENTS:
        made_of = {name: value for name, value in made_of.items() if name not in OF_CORPUS}
        made_of |= {name: getattr(settings, name) for name in OF_DOCUMENTS}
    if settings.has_full_text:
        made_of["full_text"] = "BM25"
    params = {name: value for name, value in settings.index_config.items() if name != "index_type"}
    defaults = type(settings).model_fields
    is_parted = settings.partitions or settings.partition_key
    added = {name: getattr(settings, name) for name in ADDED if is_parted or name != "partition_skew"}
    made_of |= {name: value for name, value in added.items() if value != defaults[name].default}
    return made_of | {"index_params": params, "fingerprint": dataset.fingerprint, "version": loadgen.__version__}


def name_data(settings: Settings, dataset: Dataset) -> str:
    """Equal for runs whose collections would be the same."""
    made_of = _list_properties(settings, dataset) | {"version": ""}
    return sha256(json.dumps(made_of, sort_keys=True, default=str).encode()).hexdigest()[:16]


def read_manifest(properties: Mapping[str, Any]) -> dict[str, Any] | None:
    """The manifest among a collection's properties; None if there is no valid one."""
    try:
        manifest = json.loads(properties.get(MANIFEST_KEY, ""))
    except (TypeError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) and "fingerprint" in manifest else None


def find_differences(kept: Mapping[str, Any], wanted: Mapping[str, Any], settings: Settings) -> list[Fault]:
    """A fault for each setting in which the collection differs."""
    faults = _find_other_data(kept, wanted, settings)
    faults += _find_other_kind(kept, wanted, settings)
    for name in (*OF_DOCUMENTS, *COMPARED):
        if name not in wanted or name not in kept:
            continue
        if kept.get(name) == wanted[name] or _follows_index_type(name, kept, wanted, settings):
            continue
        flag, old = f"--{name.replace('_', '-')}", _shown(kept.get(name))
        problem = f"collection '{settings.collection}' has {name} {old}"
        faults.append(Fault(name, _shown(wanted[name]), problem, f"Use {flag} {old}, another --collection, or --fresh"))
    for name in ADDED:
        default = type(settings).model_fields[name].default
        old, new = (made_of.get(name, default) for made_of in (kept, wanted))
        if old != new:
            flag = f"--{name.replace('_', '-')}"
            use = f"Use {flag} {_quoted(old)}" if old != default else f"Omit {flag}"
            problem = f"collection '{settings.collection}' has {_shown(old) if old != default else 'none'}"
            faults.append(Fault(name, _shown(new), problem, f"{use}, use another --collection, or --fresh"))
    faults += _find_other_model(kept, wanted, settings) if not faults else []
    if not faults and kept["fingerprint"] != wanted["fingerprint"]:
        problem = f"was filled by loadgen {kept.get('version')} with different data (another numpy?)"
        faults.append(Fault("collection", settings.collection, problem, "Use another --collection, or --fresh"))
    return [fault._replace(hint=f"{fault.hint} to reload it.") for fault in faults]


def _find_other_data(kept: Mapping[str, Any], wanted: Mapping[str, Any], settings: Settings) -> list[Fault]:
    """A fault if one of the two is from a file, and not from the same; its name may differ for the same content."""
    old, new = (made_of.get("dataset", SYNTHETIC) for made_of in (kept, wanted))
    if old == new == SYNTHETIC or kept["fingerprint"] == wanted["fingerprint"]:
        return []
    same = "other documents" if new == DOCUMENTS else "the same file with other content or another number of rows"
    shown = same if old == new else _shown(old)
    problem = f"collection '{settings.collection}' contains {shown}"
    return [
        Fault("documents" if new == DOCUMENTS else "dataset", str(new), problem, "Use another --collection, or --fresh")
    ]


def _find_other_model(kept: Mapping[str, Any], wanted: Mapping[str, Any], settings: Settings) -> list[Fault]:
    """A fault if the server's model has the name of the one that made the vectors, and gives a text another vector.

    Collections of earlier versions have no such vector, and are trusted.
    """
    if not (kept.get(PROBE) and wanted.get(PROBE)):
        return []
    similarity = find_similarity(str(kept[PROBE]), str(wanted[PROBE]))
    if similarity >= ALIKE:
        return []
    name, value = "embedding", settings.embedding
    if settings.embedding_url:
        name, value = "embedding_url", settings.embedding_url
    problem = (
        f"has another {settings.embedding} than the one that filled collection '{settings.collection}': "
        f"the cosine similarity of their vectors of one text is {similarity:.3f}, not at least {ALIKE:g}"
    )
    return [Fault(name, value, problem, "Use the model of then, another --collection, or --fresh")]


def _find_other_kind(kept: Mapping[str, Any], wanted: Mapping[str, Any], settings: Settings) -> list[Fault]:
    """A fault if only one of the two has a BM25 field."""
    if kept.get("full_text") == wanted.get("full_text"):
        return []
    problem = f"collection '{settings.collection}' has {'a' if kept.get('full_text') else 'no'} BM25 field"
    return [Fault("search_kind", settings.search_kind, problem, "Use another --collection, or --fresh")]


def _follows_index_type(name: str, kept: Mapping[str, Any], wanted: Mapping[str, Any], settings: Settings) -> bool:
    """Default parameters differ with the index type; one fault is enough."""
    return name == "index_params" and kept.get("index_type") != wanted["index_type"] and not settings.index_params


def _quoted(value: object) -> str:
    text = str(value)
    return f'"{text}"' if " " in text or ";" in text else text


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}={given}" for name, given in value.items()) or "none"
    return str(value)
