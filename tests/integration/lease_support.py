"""Starts processes that keep the lease of a collection until asked to release it."""

import os
import subprocess
import sys
from dataclasses import dataclass

from pymilvus.exceptions import MilvusException

from loadgen.milvus.store.holders import Holder
from loadgen.milvus.store.leases import LeaseTable
from loadgen.settings.model import Settings
from tests.integration.command_parent import HOLDER
from tests.integration.forked import CAN_FORK, ROOT, ForkedCommand


@dataclass
class HolderProcess:
    """One such process."""

    process: "subprocess.Popen[str]"

    @classmethod
    def start(cls, uri: str, collection: str, use: str, data: str = "data") -> "HolderProcess":
        kind, program = (ForkedCommand, [HOLDER]) if CAN_FORK else (subprocess.Popen, [sys.executable, "-m", HOLDER])
        command = [*program, uri, collection, use, data]
        pipe, errors = subprocess.PIPE, 2
        started = cls(kind(command, cwd=ROOT, env=os.environ, text=True, stdin=pipe, stdout=pipe, stderr=errors))
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
