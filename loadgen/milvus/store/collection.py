"""The collection on the server, during preparation."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Self

import grpc
from pymilvus import MilvusClient
from pymilvus.client.types import LoadState
from pymilvus.exceptions import MilvusException

from loadgen.datasets import FINGERPRINT_KEY
from loadgen.milvus.store.arguments import connection_arguments
from loadgen.milvus.store.compacting import Compactor
from loadgen.milvus.store.errors import StoreError, is_denied, server_words
from loadgen.milvus.store.manifest import COMPACTION_KEY, read_manifest
from loadgen.milvus.store.segments import Compaction, count_segments
from loadgen.settings.model import Settings

INDEX = "embedding"
"""LlamaIndex names the index after the field."""
ID_FIELD = "id"
"""LlamaIndex's primary key."""
POLL_SECONDS = 0.2
LEAST_INDEXED = 1024
"""Milvus builds no index over a segment with fewer rows."""
UNDO_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Existing:
    """An existing collection."""

    manifest: dict[str, Any] | None
    """None: the collection is not ours."""
    dim: int
    """Dimension of its first vector field; 0 if it has none."""
    compaction: str | None = None
    """The outcome of its last compaction; None if it was not kept."""


class Stage(IntEnum):
    """How far the creation of a collection has progressed."""

    UNTOUCHED = 0
    """Nothing was created; also once everything is complete, or undone."""
    ASKED_FOR = 1
    """The server was asked to create it and has not confirmed it."""
    CREATED = 2
    """It exists without a manifest, so its owner is unknown."""
    OWNED = 3
    """It has its manifest."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A collection left behind by a failed attempt."""

    stage: Stage
    why: str
    denied: bool = False
    """The user lacks the privilege to drop it."""


HALF_WRITTEN = re.compile(r"faiss::read_|index_read\.cpp|No data left in file|Ran out of input")
"""The answer of Milvus Lite if it loads an index from an incomplete file. It builds indexes outside of its
lock, and both a flush and a load may do so (`Collection._build_or_load_segment_index` of milvus-lite 3.2)."""
HALF_WRITTEN_SECONDS = 10.0


class Collection:
    """One collection over a separate connection. Its methods block, for at most `limit` seconds each."""

    def __init__(
        self,
        settings: Settings,
        limit: float,
        heard: Callable[[], None] = lambda: None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`heard` is called whenever the server answers during a wait; `tell` takes a line that users should know."""
        self._heard = heard
        self._tell = tell
        self.name = settings.collection
        self.limit = limit
        self.stage = Stage.UNTOUCHED
        self.compaction = Compaction.NOT_NEEDED
        self.segments_loaded: int | None = None
        """Segments after the rows were written and before the compaction; None if unknown."""
        self._client = MilvusClient(**connection_arguments(settings, limit))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def look(self) -> Existing | None:
        """The existing collection of this name, if any."""
        if not self._client.has_collection(self.name):
            return None
        described = self._client.describe_collection(self.name)
        dims = [field["params"]["dim"] for field in described["fields"] if "dim" in field.get("params", {})]
        properties = described.get("properties") or {}
        return Existing(read_manifest(properties), int(dims[0]) if dims else 0, properties.get(COMPACTION_KEY))

    def drop(self) -> None:
        """Drop it, and wait until the server no longer lists it."""
        self._client.drop_collection(self.name)
        self._wait_for("the collection to be dropped", lambda: not self._client.has_collection(self.name))

    def undo(self) -> "Leftover | None":
        """Drop an unfinished collection. If that fails, returns what is left and why. Raises nothing."""
        if self.stage is Stage.UNTOUCHED:
            return None
        try:
            if self.stage is Stage.ASKED_FOR:  # its owner is unknown, so it is not dropped
                here = self._client.has_collection(self.name, timeout=UNDO_SECONDS)
                return Leftover(self.stage, "nobody can say whether this attempt made it") if here else None
            self._client.drop_collection(self.name, timeout=UNDO_SECONDS)
        except Exception as error:  # noqa: BLE001 - another error is already being reported
            if self.stage is Stage.ASKED_FOR:
                return None
            return Leftover(self.stage, server_words(error), denied=is_denied(error))
        self.stage = Stage.UNTOUCHED
        return None

    def has_index(self) -> bool:
        """Whether an index was accepted."""
        return bool(self._client.list_indexes(self.name))

    def count(self, fingerprint: str = "") -> int:
        """Current number of rows (Strong consistency): all, or those of one dataset."""
        wanted = f"{FINGERPRINT_KEY} == {json.dumps(fingerprint)}" if fingerprint else ""
        result = self._client.query(
            self.name, filter=wanted, output_fields=["count(*)"], consistency_level="Strong", timeout=self.limit
        )
        return int(result[0]["count(*)"])

    def count_ids(self, ids: list[str]) -> int:
        """How many rows have one of these ids (Strong consistency)."""
        wanted = f"{ID_FIELD} in {json.dumps(ids)}"
        result = self._client.query(
            self.name, filter=wanted, output_fields=["count(*)"], consistency_level="Strong", timeout=self.limit
        )
        return int(result[0]["count(*)"])

    def settle(self, rows: int, unless: Compaction | None = None) -> str:
        """Wait until the rows are sealed, indexed, compacted, loaded and searchable; return the server's index type.

        `unless` says why it is not compacted.

        Reloads it: otherwise Milvus would search data loaded before the index without it, for about 10 s.
        Raises StoreError with the step that timed out, or the server's error about the index.
        """
        self._client.flush(self.name, timeout=self.limit)
        self._wait_for("the index", self._is_indexed)
        self.segments_loaded = self.count_segments()
        self.compaction = unless or self._compact()
        self._client.release_collection(self.name, timeout=self.limit)  # growing segments have no index in memory
        self._keep_compaction()
        self.load()
        self._wait_for(f"{rows:,} rows to be searchable", lambda: self.count() >= rows)
        return self.index_type()

    def count_segments(self) -> int | None:
        """Number of stored segments; None if the server does not report it."""
        return count_segments(self._client, self.name, self.limit)

    def _compact(self) -> Compaction:
        compactor = Compactor(self._client, self.name, self.limit, self._wait_for, self._tell)
        outcome = compactor.compact()
        self._wait_for("the index", self._is_indexed)  # of the merged segments
        return outcome

    def _keep_compaction(self) -> None:
        """Keep the outcome for later runs; without the privilege, they judge by the previous one."""
        try:
            self._client.alter_collection_properties(
                self.name, properties={COMPACTION_KEY: self.compaction.value}, timeout=self.limit
            )
        except (MilvusException, grpc.RpcError) as error:
            if not is_denied(error):
                raise

    def contains(self, rows: int, fingerprint: str) -> bool:
        """Whether it is loaded, and contains exactly these rows, all of one dataset. Changes nothing."""
        if self._client.get_load_state(self.name)["state"] != LoadState.Loaded or not self._is_indexed():
            return False
        return self.count() == rows == self.count(fingerprint)

    def is_settled(self, rows: int) -> bool:
        """Whether all rows are in sealed segments that were loaded with their index: the state after `settle`.

        False if the server does not report it. Milvus Lite reports no segments, and has nothing to settle.
        """
        try:
            segments = self._client.list_loaded_segments(self.name, timeout=self.limit)
        except grpc.RpcError as error:
            return bool(error.code() is grpc.StatusCode.UNIMPLEMENTED)
        except MilvusException:
            return False
        if sum(segment.num_rows for segment in segments) < rows:
            return False
        flat = self.index_type() == "FLAT"
        unindexed = [segment for segment in segments if not segment.index_id]
        return flat or all(segment.num_rows < LEAST_INDEXED for segment in unindexed)

    def index_type(self) -> str:
        """The index type, as named by the server."""
        return str(self._client.describe_index(self.name, INDEX)["index_type"])

    def load(self) -> None:
        """Load it for searches, even if it was released."""
        if self._client.get_load_state(self.name)["state"] != LoadState.Loaded:
            self._ask_to_load()
        self._wait_for(
            "the collection to be loaded",
            lambda: self._client.get_load_state(self.name)["state"] == LoadState.Loaded,
        )

    def _ask_to_load(self) -> None:
        """Retry for some seconds if Milvus Lite reads an index file that its flush is still writing."""
        end = time.perf_counter() + HALF_WRITTEN_SECONDS
        while True:
            try:
                self._client.load_collection(self.name, timeout=self.limit)
            except MilvusException as error:
                if not HALF_WRITTEN.search(server_words(error)) or time.perf_counter() > end:
                    raise
                time.sleep(POLL_SECONDS)
            else:
                return

    def _is_indexed(self) -> bool:
        return all(self._is_built(index) for index in self._client.list_indexes(self.name) or [INDEX])

    def _is_built(self, index: str) -> bool:
        reported = self._client.describe_index(self.name, index) or {}
        if reported.get("state") == "Failed":
            raise StoreError(f"the index failed: {reported.get('index_state_fail_reason', 'no reason given')}")
        return int(reported.get("pending_index_rows", 0)) == 0 and reported.get("state", "Finished") == "Finished"

    def _wait_for(self, what: str, reached: Callable[[], bool]) -> None:
        end = time.perf_counter() + self.limit
        while not reached():
            self._heard()
            if time.perf_counter() > end:
                raise StoreError(f"waited {self.limit:.0f} s for {what} in collection '{self.name}'")
            time.sleep(POLL_SECONDS)
