"""Have the segments of a collection merged, and wait for that."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import grpc
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from loadgen.milvus.store.errors import StoreError
from loadgen.milvus.store.segments import Compaction, list_segments, refusal_of
from loadgen.text.listing import count_of

COMPLETED = "Completed"
OMIT = "(--no-wait-compaction omits it)"

Wait = Callable[[str, Callable[[], bool]], None]
"""Waits for what the text names, until the function returns True; raises StoreError after the limit."""


@dataclass(frozen=True, slots=True)
class Compactor:
    """The compaction of one collection. Each call to the server may take `limit` seconds; `tell` takes a line."""

    client: MilvusClient
    name: str
    limit: float
    wait: Wait
    tell: Callable[[str], None]

    def compact(self) -> Compaction:
        """Ask for it only if a partition has more than one segment, and wait for it.

        Milvus 2.3 then rewrites every collection of the server, two at a time and seconds each. The wait is for all of
        them, for they would disturb the measurement, and lasts as long as any is completed within `limit`. If none is,
        it raises StoreError, unless this collection's segments are merged.
        """
        segments = list_segments(self.client, self.name, self.limit)
        if segments is not None and max(Counter(segments.values()).values(), default=0) <= 1:
            return Compaction.NOT_NEEDED
        try:
            job = self.client.compact(self.name, timeout=self.limit)
        except (MilvusException, grpc.RpcError) as error:
            return refusal_of(error)
        connection = self.client._get_connection()  # noqa: SLF001 - MilvusClient has no call for the plans
        plans = [frozenset(plan.sources) for plan in connection.get_compaction_plans(job, timeout=self.limit).plans]
        own = [sources for sources in plans if not sources.isdisjoint(segments or ())]
        if segments is not None and len(plans) > len(own):
            self.tell(describe_others(len(plans) - len(own)))
        try:
            self._wait(job)
        except StoreError:
            if not own or self._remain(frozenset().union(*own)):
                raise
            self.tell("the compaction of other collections of this server continues during the run")
        return Compaction.COMPLETED

    def _wait(self, job: int) -> None:
        connection = self.client._get_connection()  # noqa: SLF001 - likewise

        def completed() -> float:
            """Number of completed plans; infinite once all are."""
            state = connection.get_compaction_state(job, timeout=self.limit)
            return math.inf if state.state_name == COMPLETED else state.completed

        while (now := completed()) < math.inf:
            self.wait(f"the compaction {OMIT}", lambda now=now: completed() > now)  # type: ignore[misc]

    def _remain(self, sources: frozenset[int]) -> bool:
        stored = list_segments(self.client, self.name, self.limit)
        return stored is None or not sources.isdisjoint(stored)


def describe_others(plans: int) -> str:
    """For a log line: other collections are compacted too."""
    return f"this server compacts its other collections with this one: {count_of(plans, 'more compaction')} {OMIT}"
