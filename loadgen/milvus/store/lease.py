"""A lease on the measured collection: no run drops, releases or fills a collection that another one searches.

Kept by heartbeats in a small separate collection, never in the measured one. Milvus has no compare-and-set, so a lease
is first claimed and then confirmed. A run that writes its claim and then reads all leases with Strong consistency sees
every earlier one: of two conflicting runs at least one sees the other, and steps back.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import grpc
from pymilvus.exceptions import MilvusException

from loadgen.milvus.store.errors import server_words
from loadgen.milvus.store.holders import Holder, Use
from loadgen.milvus.store.leases import REMOVE_SECONDS, LeaseTable
from loadgen.milvus.store.watching import HolderWatch, LeaseTiming, Life
from loadgen.settings.conflicts import LEASES
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings

UNUSABLE = (MilvusException, grpc.RpcError)
Tell = Callable[[str], None]


class Lease:
    """One for each run. `take` and all that follows block: call them on an OS thread; `release` from any.

    If leases cannot be kept because of a missing privilege, it warns and allows everything.
    """

    def __init__(
        self, settings: Settings, doing: str, tell: Tell, *, writes: bool = False, timing: LeaseTiming | None = None
    ) -> None:
        self._settings = settings
        self._tell = tell
        self.writes = writes
        """True if the run changes the collection: it never shares it."""
        self._timing = timing or LeaseTiming()
        self._watch = HolderWatch(self._timing)
        self._mine = Holder.here(settings.collection, "", doing)
        self._table: LeaseTable | None = None
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._has_row = False
        self._ended = False
        self._ending = threading.Lock()
        self._tried = False
        self._thread: threading.Thread | None = None
        self._sharing: list[Holder] = []
        """Holders that share the collection, as last read."""
        self._seen: dict[str, str] = {}
        """The run of each lease that ever shared it."""
        self._blocking: list[Holder] = []
        self._warned: set[str] = set()
        self.is_kept = False
        """True while other runs can see our lease."""

    # Taking

    def take(self, data: str, use: Use) -> None:
        """Lock the collection from now on. Raises SettingsError with the conflicting run.

        Waits for a run that prepares the same data if this run only reads, and for a holder that may be dead.
        """
        with self._lock:
            if self._ended:
                return
        try:
            if self._table is None:
                self._table = LeaseTable(self._settings)
                self._table.open()
            self.is_kept = True
            while not self._try(use, data):
                pass
        except UNUSABLE as error:
            self._give_up(error)

    def _try(self, use: Use, data: str) -> bool:
        self._await_free(self._mine.next(use=use, data=data))
        self._write(use=use, data=data, claimed=True, preparing=use is Use.WRITE and not self.writes)
        return self._confirm()

    def make_exclusive(self) -> bool:
        """Upgrade from reading to writing; False if another run came first, in which case no lease remains."""
        if not self.is_kept or self._mine.use is Use.WRITE:
            return True
        try:
            self._write(use=Use.WRITE, claimed=True, preparing=not self.writes)
            return self._confirm()
        except UNUSABLE as error:
            self._give_up(error)
            return True

    def settle(self) -> None:
        """The collection is ready: from here on the lease states the run's own use, and is shared if possible."""
        use = Use.WRITE if self.writes else Use.READ
        try:
            if self.is_kept:
                self._write(use=use, preparing=False, ready=True)
        except UNUSABLE as error:
            self._give_up(error)

    def _confirm(self) -> bool:
        """Confirm the claim, or withdraw it if another run came first."""
        while others := self._conflicts(self._mine):
            if any(self._goes_first(other) for other in others):
                self._blocking = others
                self._remove()
                return False
            time.sleep(self._timing.poll / 2)  # others see us and step back, or continue and are seen
        self._write(claimed=False)
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep, name="loadgen-lease", daemon=True)
            self._thread.start()
        return True

    def _goes_first(self, other: Holder) -> bool:
        """Whether our claim has to yield. A reader that is still checking either continues or claims like us."""
        if other.claimed:
            return other.lease < self._mine.lease
        return other.ready or other.use is Use.WRITE

    def _await_free(self, wanted: Holder) -> None:
        """Return when no run conflicts with this one. Raises SettingsError as soon as a conflict is permanent."""
        reported = False
        while others := self._conflicts(wanted):
            lasting = [other for other in others if self._lasts(other, wanted)]
            if lasting:
                raise SettingsError(find_faults(lasting))
            if not reported and not all(other.claimed for other in others):
                self._tell(f"Waiting for collection '{wanted.collection}', in use by {others[0]}")
                reported = True
            time.sleep(self._timing.poll)

    def _lasts(self, other: Holder, wanted: Holder) -> bool:
        """Whether waiting for a conflicting holder is pointless."""
        is_made_for_us = other.preparing and other.data == wanted.data and wanted.use is Use.READ
        is_silent = self._watch.judge(other, self._table.now() if self._table else None) is Life.SILENT
        return not (other.claimed or is_made_for_us or is_silent)

    def _conflicts(self, wanted: Holder) -> list[Holder]:
        """The living conflicting holders, as currently known to the server."""
        table = self._table
        if table is None:  # released in the meantime
            return []
        living = self._look(table, strong=True)
        self._note_sharing([one for one in living if not wanted.excludes(one)])
        return [one for one in living if wanted.excludes(one)]

    def _look(self, table: LeaseTable, *, strong: bool) -> list[Holder]:
        """All other living holders of the collection; removes the rows of dead ones."""
        now = table.now()
        result = []
        for other in table.read(strong=strong):
            if other.lease == self._mine.lease:
                continue
            if self._watch.judge(other, now) is Life.DEAD:
                table.remove(other)
            elif other.collection == self._mine.collection:
                result.append(other)
        return result

    def find_others(self, data: str) -> list[Fault]:
        """Holders whose use would prevent changing the collection; for a run that is refused anyway."""
        table = None
        try:
            table = LeaseTable(self._settings)
            if not table.is_there:
                return []
            wanted = self._mine.next(use=Use.WRITE, data=data)
            return find_faults([other for other in self._look(table, strong=False) if wanted.excludes(other)])
        except UNUSABLE:
            return []
        finally:
            if table is not None:
                table.close()

    # Holding

    @property
    def refusal(self) -> SettingsError:
        """The conflicting run if `make_exclusive` failed."""
        return SettingsError(find_faults(self._blocking))

    @property
    def is_shared(self) -> bool:
        """Whether another run searches the same data now, and so has verified or prepared them."""
        return self.is_kept and any(one.ready for one in self._sharing)

    @property
    def sharers(self) -> tuple[str, ...] | None:
        """Ids of the runs seen to search the collection concurrently; None without a lease."""
        return None if "unkept" in self._warned else tuple(sorted({run for run in self._seen.values() if run}))

    def name_run(self, run: str) -> None:
        """Publish the id of the run, soon."""
        with self._lock:
            self._mine = replace(self._mine, run=run)
        self._wake.set()

    def _note_sharing(self, holders: list[Holder]) -> None:
        self._sharing = holders
        self._seen |= {one.lease: one.run for one in holders}

    def _keep(self) -> None:
        """Renew the lease until its end. A failure is retried with the next heartbeat."""
        while not self._ended:
            self._wake.wait(self._timing.beat)
            self._wake.clear()
            try:
                self._renew()
            except UNUSABLE as error:
                self._warn(
                    "unseen", f"others may soon take it for free: its lease cannot be renewed ({server_words(error)})"
                )

    def _renew(self) -> None:
        with self._lock:
            table = self._table
            if self._ended or table is None or not self._has_row:  # a withdrawn claim stays withdrawn
                return
            self._write()
            others = self._look(table, strong=False)
        self._note_sharing([one for one in others if not one.claimed])
        lasting = [one for one in others if self._mine.excludes(one) and not one.claimed]
        if lasting:
            self._warn("lost", f"the lease had ended for want of heartbeats, and it is in use by {lasting[0]} as well")

    def _write(self, **changes: Any) -> None:
        with self._lock:
            if self._ended or self._table is None:
                return
            self._mine = self._mine.next(**changes, written=self._table.now())
            self._has_row = True
            self._table.write(self._mine)

    def _warn(self, kind: str, text: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            self._tell(f"Warning: collection '{self._mine.collection}': {text}")

    def _give_up(self, error: Exception) -> None:
        self._warn(
            "unkept",
            f"no lease can be kept in collection '{LEASES}' ({server_words(error)}), so other runs do not see that it "
            "is in use. Make sure none is running, or give the role the privileges",
        )
        self.is_kept = False

    # The end

    def release(self) -> None:
        """Release the collection. Tried once; takes a few seconds at most, even if the server is gone."""
        self._ended = True
        self._wake.set()
        with self._ending:
            if not self._tried:
                self._tried = True
                self._release()

    def _release(self) -> None:
        if not self._lock.acquire(timeout=REMOVE_SECONDS):
            return  # a call hangs, and so would ours; the lease expires
        try:
            if self._table is not None:
                self._remove()
                self._table.close()
                self._table = None
        finally:
            self._lock.release()
            self.is_kept = False

    def _remove(self) -> None:
        with self._lock:
            if self._table is not None and self._has_row:
                self._has_row = False
                try:
                    self._table.remove(self._mine)
                except UNUSABLE:
                    return  # it expires


def find_faults(holders: list[Holder]) -> list[Fault]:
    """A fault for each conflicting holder."""
    hint = "Wait for it to end, or use another --collection. The lease of a killed run expires after a minute."
    return [Fault("collection", holder.collection, f"is in use by {holder}", hint) for holder in holders]
