"""Segments of collections: how many there are, and the compaction that merges them."""

from collections.abc import Iterable
from contextlib import closing
from enum import StrEnum

import grpc
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException
from pymilvus.grpc_gen import common_pb2

from loadgen.milvus.store.arguments import connection_arguments, quiet_client_log
from loadgen.milvus.store.errors import GivenUpError, is_denied, status_of
from loadgen.settings.model import Settings

COUNTED_WITHIN = 2.0
"""Seconds for a count at the end of a run, whose server may be gone."""
GONE = common_pb2.SegmentState.Dropped


class Compaction(StrEnum):
    """What became of the compaction before a run."""

    COMPLETED = "completed"
    NOT_AWAITED = "not awaited"
    """As the settings ask."""
    NOT_SUPPORTED = "not supported"
    """The server has none that could be asked for, as Milvus Lite."""
    NOT_PERMITTED = "not permitted"
    """The user lacks the privilege."""
    NOT_NEEDED = "not needed"
    """There is nothing to merge, the collection was ready before, or it is not this tool's."""
    UNKNOWN = "unknown"
    """The collection was loaded without one, and other runs that use it now prevented one."""


def list_segments(client: MilvusClient, name: str, timeout: float) -> dict[int, int] | None:
    """The partition of each stored segment, by their ids; None if the server does not report them."""
    connection = client._get_connection()  # noqa: SLF001 - the list of MilvusClient omits the partition
    try:
        persistent_segment_infos = connection.get_persistent_segment_infos(name, timeout=timeout)
    except (MilvusException, grpc.RpcError):
        return None
    return {segment.segmentID: segment.partitionID for segment in persistent_segment_infos if segment.state != GONE}


def count_segments(client: MilvusClient, name: str, timeout: float) -> int | None:
    """Number of segments of a collection that are stored; None if the server does not report it."""
    segments = list_segments(client, name, timeout)
    return None if segments is None else len(segments)


def recount_segments(settings: Settings, names: Iterable[str]) -> dict[str, int | None]:
    """The number for each of these collections, over a separate connection; None from a server that is gone."""
    quiet_client_log()
    wanted = list(names)
    try:
        with closing(MilvusClient(**connection_arguments(settings, COUNTED_WITHIN), timeout=COUNTED_WITHIN)) as client:
            return {name: count_segments(client, name, COUNTED_WITHIN) for name in wanted}
    except (MilvusException, grpc.RpcError, OSError, ValueError):
        return dict.fromkeys(wanted)


def judge_found(kept: str | None, *, wanted: bool) -> Compaction:
    """What became of the compaction of a collection used as it is, from the outcome kept with it.

    `UNKNOWN` if it is wanted and still to be done.
    """
    if kept in (None, Compaction.COMPLETED, Compaction.NOT_NEEDED, Compaction.NOT_SUPPORTED):
        return Compaction.NOT_NEEDED
    return Compaction.UNKNOWN if wanted else Compaction.NOT_AWAITED


def refusal_of(error: BaseException) -> Compaction:
    """What an error says of the compaction that was asked for. Raises the error if the server is the problem."""
    if is_denied(error):
        return Compaction.NOT_PERMITTED
    status = status_of(error)[0]
    if isinstance(error, GivenUpError) or status not in (None, grpc.StatusCode.UNIMPLEMENTED):
        raise error
    return Compaction.NOT_SUPPORTED
