"""Filters and partitions held against an existing collection: what it lacks, and how many rows match. Reads only."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import grpc
from pymilvus import MilvusClient
from pymilvus.client.types import LoadState
from pymilvus.exceptions import MilvusException

from loadgen.datasets import Narrowing
from loadgen.milvus.store.arguments import connection_arguments
from loadgen.milvus.store.drawing import find_undrawable
from loadgen.milvus.store.errors import StoreError, server_words
from loadgen.milvus.store.existing import CollectionInfo
from loadgen.milvus.store.opening import COUNT
from loadgen.milvus.store.reaching import explain_failure
from loadgen.settings.faults import Fault
from loadgen.settings.filter_grammar import find_conditions, write_filter
from loadgen.settings.model import Settings
from loadgen.settings.narrowing import find_partitions, read_filter
from loadgen.text.listing import join_some


def find_lacking(settings: Settings, info: CollectionInfo) -> list[Fault]:
    """Fields of the filter and partitions that the collection lacks. Raises StoreError if the server fails."""
    try:
        with closing(MilvusClient(**connection_arguments(settings, settings.deadline))) as client:
            described = client.describe_collection(info.name)
            names = client.list_partitions(info.name) if settings.partitions else []
            wanted = find_partitions(settings.partitions)
            loaded = {name: _is_loaded(client, info.name, name) for name in wanted if name in names}
    except (MilvusException, grpc.RpcError) as error:
        raise StoreError(explain_failure("inspect", settings, error)) from error
    faults = [*_find_unknown_fields(settings, info, described), *find_undrawable(settings, info, described)]
    key = [field["name"] for field in described["fields"] if field.get("is_partition_key")]
    missing = [name for name in wanted if name not in names]
    if settings.partitions and key:
        problem = f"cannot be searched: collection '{info.name}' has the partition key {key[0]}"
        hint = f'Omit them, and filter by it: --filter "{key[0]} == ...".'
        faults.append(Fault("partitions", settings.partitions, problem, hint))
    elif missing:
        problem = f"{'are' if len(missing) > 1 else 'is'} missing in collection '{info.name}'"
        hint = f"It has {join_some(sorted(names))}."
        if settings.partitions.strip().isdecimal():
            hint = f"Name those to search: a number means p0, p1 and so on. {hint}"
        faults.append(Fault("partitions", join_some(missing), problem, hint))
    elif absent := [name for name, is_loaded in loaded.items() if not is_loaded]:
        problem = f"{'are' if len(absent) > 1 else 'is'} not loaded in collection '{info.name}'"
        hint = f"--existing changes nothing, so load them yourself: load_partitions('{info.name}', {absent})."
        faults.append(Fault("partitions", join_some(absent), problem, hint))
    return faults


def _is_loaded(client: MilvusClient, collection: str, partition: str) -> bool:
    state = client.get_load_state(collection, partition_name=partition)["state"]
    return bool(state == LoadState.Loaded)


def _find_unknown_fields(settings: Settings, info: CollectionInfo, described: Mapping[str, Any]) -> Iterator[Fault]:
    expression = read_filter(settings)
    if expression is None or info.is_dynamic:
        return
    known = [field["name"] for field in described["fields"]]
    for name in dict.fromkeys(condition.field for condition in find_conditions(expression)):
        if name in known:
            continue
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"It has {join_some(sorted(known))}."
        yield Fault("filter", settings.filter, f"has the field {name}, which collection '{info.name}' lacks", hint)


def count_matches(settings: Settings, info: CollectionInfo, narrowings: Sequence[Narrowing]) -> list[int] | str:
    """The number of rows that match each of some narrowings, or why the server does not count them."""
    matches = []
    with closing(MilvusClient(**connection_arguments(settings, settings.deadline))) as client:
        for one in narrowings:
            expression = (write_filter(one.expression) if one.expression is not None else one.text) or _all_rows(info)
            parts = {"partition_names": [one.partition]} if one.partition else {}
            try:
                counted = client.query(info.name, **(COUNT | {"filter": expression} | parts))
            except (MilvusException, grpc.RpcError) as error:
                return server_words(error)
            matches.append(int(counted[0]["count(*)"]))
    return matches


def _all_rows(info: CollectionInfo) -> str:
    """True of every row: without an expression Milvus Lite counts the rows of all partitions, whichever is given."""
    return f"{info.id_field} > -{2**63 - 1}" if info.id_type == "int64" else f'{info.id_field} != ""'


def try_search(settings: Settings, info: CollectionInfo, narrowing: Narrowing) -> str:
    """Why the server refuses a filter; empty if it accepts it. Reads one row at most."""
    expression = write_filter(narrowing.expression) if narrowing.expression is not None else narrowing.text
    with closing(MilvusClient(**connection_arguments(settings, settings.deadline))) as client:
        try:
            client.query(info.name, filter=expression, output_fields=[info.id_field], limit=1)
        except (MilvusException, grpc.RpcError) as error:
            return server_words(error)
    return ""
