"""Why a collection cannot be used as it is, or was left incomplete, each with a remedy."""

from loadgen.datasets import Dataset
from loadgen.milvus.store.collection import Existing, Leftover, Stage
from loadgen.milvus.store.manifest import find_differences, make_manifest
from loadgen.milvus.store.reaching import ServerInfo
from loadgen.settings.conflicts import without_secret
from loadgen.settings.faults import Fault
from loadgen.settings.model import Settings

LITE_INDEXES = ("FLAT", "AUTOINDEX", "HNSW", "IVF_FLAT", "IVF_SQ8")
"""Indexes that Milvus Lite builds. It silently accepts any other name and then searches without an index."""


def describe_leftover(left: Leftover, name: str, settings: Settings) -> tuple[str, str]:
    """What is wrong with a leftover collection, with a remedy."""
    problem = f"was left half made ({left.why})"
    if left.stage is Stage.OWNED and not left.denied:
        return problem, "A run with the same settings reloads it."
    call = f"MilvusClient('{without_secret(settings.host)}', token='...').drop_collection('{name}')"
    who = "Have a user who may drop it" if left.denied else "If it is of no use to anybody"
    return problem, f'{who}: python -c "from pymilvus import MilvusClient; {call}".'


def find_index_faults(settings: Settings, server: ServerInfo) -> list[Fault]:
    """Why the server would not build the requested index, although it accepts the request."""
    if server.kind != "lite" or settings.index_type in LITE_INDEXES:
        return []
    problem = "is not supported by Milvus Lite, which would silently search without an index"
    return [Fault("index_type", settings.index_type, problem, f"Choose {', '.join(LITE_INDEXES)}.")]


def find_ownership_faults(existing: Existing | None, settings: Settings, dataset: Dataset) -> list[Fault]:
    """Why the existing collection may be neither used nor dropped."""
    if existing is None:
        return []
    if existing.manifest is not None:
        wanted = make_manifest(settings, dataset)
        return [] if settings.fresh else find_differences(existing.manifest, wanted, settings)
    if settings.overwrite:
        return []
    hint = "Add --existing to measure it as it is, use another --collection, or drop it with --overwrite."
    faults = [Fault("collection", settings.collection, "was not created by this tool and is left unchanged", hint)]
    if existing.dim != settings.dim:
        problem = f"collection '{settings.collection}' has dim {existing.dim}"
        faults.append(Fault("dim", str(settings.dim), problem, hint))
    return faults
