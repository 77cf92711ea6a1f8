"""A process that holds a collection until it is told to let go, and how tests start some of them."""

import subprocess
import sys
from dataclasses import dataclass

from pymilvus.exceptions import MilvusException

from loadgen.milvus.store.holders import Holder
from loadgen.milvus.store.leases import LeaseTable
from loadgen.settings.model import Settings

PROGRAM = """
import sys
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from loadgen.milvus.store import Lease
from loadgen.milvus.store.holders import Use

uri, collection, use, data = sys.argv[1:]
lease = Lease(Settings(host=uri, collection=collection), "searches", lambda line: None, writes=use == "write")
print("ready", flush=True)
sys.stdin.readline()
try:
    lease.take(data, Use(use))
except SettingsError as error:
    print("refused", str(error).splitlines()[1], flush=True)
else:
    lease.settle()
    print("held" if lease.is_kept else "unkept", flush=True)
sys.stdin.readline()
lease.release()
"""


@dataclass
class HolderProcess:
    """One such process."""

    process: "subprocess.Popen[str]"

    @classmethod
    def start(cls, uri: str, collection: str, use: str, data: str = "data") -> "HolderProcess":
        command = [sys.executable, "-c", PROGRAM, uri, collection, use, data]
        started = cls(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert started.read() == "ready"
        return started

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> None:
        self.go_on()
        assert self.process.wait(60) == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(60)


def rows_of(uri: str, collection: str) -> list[Holder]:
    """The leases on a collection, as the server knows them now."""
    table = LeaseTable(Settings(host=uri))
    try:
        return [row for row in table.read() if row.collection == collection] if table.is_there else []
    except MilvusException as error:
        if "not loaded" not in str(error):
            raise
        return []  # a run has just created it
    finally:
        table.close()
