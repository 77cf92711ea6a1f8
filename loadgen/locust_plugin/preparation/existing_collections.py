"""Existing collections of a run: inspected before it, and restored after it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from loadgen.datasets.existing import LONGEST_ID
from loadgen.datasets.files import DataFileError
from loadgen.datasets.files.file_dataset import find_query_flaw
from loadgen.datasets.formats import open_content, read_queries
from loadgen.locust_plugin.preparation.variant_setup import VariantSetup, set_up_variants
from loadgen.measure.errors import describe_error
from loadgen.milvus.store import (
    CollectionInfo,
    ServerInfo,
    check_server,
    delete_inserted,
    describe_inserted,
    draw_token,
    find_lacking,
    find_undrawn,
    inspect_collection,
    require_kinds,
    sample_ids,
)
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.message_sizes import find_oversized, limits_of
from loadgen.settings.model import Settings
from loadgen.settings.narrowing import find_sampled, narrows
from loadgen.settings.rag_settings import RAG
from loadgen.settings.variants import DEFAULT_CLIENT
from loadgen.text.listing import count_of
from loadgen.text.plain_text import one_line

LONGEST_REASON = 200

SAMPLED_AT_MOST = 10_000
"""Rows sampled for queries: with more queries, several share a row."""


def inspect_existing(
    settings: Settings, tell: Callable[[str], None], *, writes: bool
) -> tuple[ServerInfo, dict[str, dict[str, Any]]]:
    """The server, and all collections of the run as plain values by name. Blocks; changes nothing.

    Raises SettingsError with every fault, StoreError if the server fails.
    """
    server = check_server(settings)
    result: dict[str, dict[str, Any]] = {}
    faults: list[Fault] = []
    variants = set_up_variants(settings)
    require_kinds((one.settings for one in variants.values()), server)
    for name in dict.fromkeys(one.settings.collection for one in variants.values()):
        some = [one for one in variants.values() if one.settings.collection == name]
        own = some[0].settings
        try:
            info = inspect_collection(own, [(one.client, one.settings) for one in some])
        except SettingsError as error:
            faults += error.faults
            continue
        faults += _find_write_faults(own, info, [one.client for one in some]) if writes else []
        faults += _find_query_faults(info.apply(own), info)
        for one in some:
            faults += find_lacking(one.settings, info) if narrows(one.settings) else []
            faults += [*_find_misfits(one, info), *_find_oversized(info.apply(one.settings), info, server)]
        if not faults:
            info = _sample(own, info, writes=writes)
            info = replace(
                info, drawn=tuple(dict.fromkeys(name for one in some for name in find_sampled(one.settings)))
            )
            faults += [fault for one in some for fault in find_undrawn(one.settings, info)]
        if not faults:
            result[name] = info.as_message()
            tell(_describe(info))
            if writes:
                inserted = describe_inserted(info)
                tell(f"Rows that the run inserts into '{info.name}' are those with {inserted}; its end deletes them")
    if faults:
        raise SettingsError(list(dict.fromkeys(faults)))
    return server, result


def _find_query_faults(settings: Settings, info: CollectionInfo) -> list[Fault]:
    """Why the queries of a file cannot be used."""
    if not settings.query_file:
        return []
    if info.vector_type != "float32":
        problem = f"has float32 vectors, and collection '{info.name}' has {info.vector_type} ones"
        return [Fault("query_file", settings.query_file, problem, "Omit it: queries are then made from sampled rows.")]
    try:
        flaw = find_query_flaw(read_queries(open_content(settings.query_file), settings), settings.metric)
    except DataFileError as error:
        return [error.as_fault("query_file")]
    return [Fault("query_file", settings.query_file, *flaw)] if flaw else []


def _find_misfits(one: VariantSetup, info: CollectionInfo) -> list[Fault]:
    """Why the data of the variant's client do not fit to the collection."""
    return [] if one.layer.data is None else one.layer.data.find_misfits(one.settings, info.dim)


def _find_oversized(settings: Settings, info: CollectionInfo, server: ServerInfo) -> list[Fault]:
    """Messages that the server does not accept. Sizes of rows are estimated for float32 vectors only."""
    if info.vector_type != "float32":
        return []
    return find_oversized(settings, limits_of(server.kind, server.version))


def _sample(settings: Settings, info: CollectionInfo, *, writes: bool) -> CollectionInfo:
    sample = sample_ids(settings, info, min(settings.queries, SAMPLED_AT_MOST))
    return replace(info, sample=sample, token=draw_token(settings, info) if writes else 0)


def _describe(info: CollectionInfo) -> str:
    vectors = f"{count_of(info.rows, 'row')}, {info.vector_type}" + (f" of dim {info.dim}" if info.dim else "")
    return f"Measuring collection '{info.name}' as it is: {vectors}, index {info.index_type}, {info.metric}"


def _find_write_faults(settings: Settings, info: CollectionInfo, clients: list[str]) -> list[Fault]:
    """Why the users may not insert into the collection."""
    if not settings.allow_writes:
        problem = "is read-only with --existing, but the users may insert or delete"
        hint = 'Add --allow-writes, run users that only search, or declare operations = ("search",) in their classes.'
        return [Fault("collection", info.name, problem, hint)]
    faults = []
    if info.is_auto_id:
        problem = "assigns ids itself, so the rows of the run could not be identified and deleted"
        faults.append(Fault("allow_writes", "", f"is not possible: collection '{info.name}' {problem}", "Omit it."))
    if 0 < info.id_length < LONGEST_ID:
        problem = f"is not possible: the ids of collection '{info.name}' have {info.id_length} characters at most"
        faults.append(Fault("allow_writes", "", problem, f"Those of inserted rows need {LONGEST_ID}. Omit it."))
    if RAG in clients and not info.is_llamaindex:
        problem = f"is not possible: LlamaIndex did not create collection '{info.name}'"
        faults.append(Fault("allow_writes", "", problem, "Name a collection that it created."))
    if DEFAULT_CLIENT in clients and not info.is_llamaindex:
        problem = f"is not possible with LlamaIndex: it did not create collection '{info.name}'"
        hint = 'Use the pymilvus client: --variants "pymilvus/sync; pymilvus/async".'
        faults.append(Fault("allow_writes", "", problem, hint))
    return faults


def clean_existing(
    settings: Settings,
    collections: Mapping[str, Mapping[str, Any]],
    tell: Callable[[str], None],
    report: Callable[[str], object],
) -> None:
    """Delete the rows that the run inserted; `report` gets what remains, with the expression that selects it."""
    for message in collections.values():
        info = CollectionInfo.from_message(message)
        if not info.token:
            continue
        try:
            tell(f"Deleted {delete_inserted(settings, info):,} inserted rows from collection '{info.name}'")
        except Exception as error:  # noqa: BLE001 - whatever it is, the run is over and its results are kept
            rows = f"those with {describe_inserted(info)}: {one_line(describe_error(error), LONGEST_REASON)}"
            report(f"rows inserted by the run remain in collection '{info.name}', {rows}")
