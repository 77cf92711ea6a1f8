"""What the tests of the embedded server share: a table to write, processes to watch."""

import time
from collections.abc import Callable
from typing import Any

import psutil

LOOPBACK = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
ROWS = [{"id": number, "vector": [float(number), 1.0, 0.5, 0.25]} for number in range(20)]


def fill(client: Any, name: str) -> None:
    """A loaded collection with 20 rows."""
    client.create_collection(name, dimension=4, metric_type="L2", consistency_level="Strong")
    assert client.insert(name, ROWS)["insert_count"] == len(ROWS)


def count(client: Any, name: str) -> int:
    result: int = client.query(name, filter="", output_fields=["count(*)"], consistency_level="Strong")[0]["count(*)"]
    return result


def nearest(client: Any, name: str) -> int:
    """The id nearest to the vector of row 7."""
    result: int = client.search(name, [ROWS[7]["vector"]], limit=1, consistency_level="Strong")[0][0]["id"]
    return result


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def processes_below(pid: int | None = None) -> list[psutil.Process]:
    """The guardian and the server that a process has started, in this order."""
    result: list[psutil.Process] = psutil.Process(pid).children(recursive=True)
    return [process for process in result if "-c" not in process.cmdline()[:2]]


def are_gone(processes: list[psutil.Process]) -> bool:
    return not any(alive(process) for process in processes)


def alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def listening_ports(process: psutil.Process) -> set[int]:
    return {each.laddr.port for each in process.net_connections("tcp") if each.status == psutil.CONN_LISTEN}


def open_ports(process: psutil.Process) -> set[int]:
    """Those on which other machines could reach a process."""
    result = process.net_connections("tcp")
    listening = [one.laddr for one in result if one.status == psutil.CONN_LISTEN]
    return {address.port for address in listening if address.ip not in LOOPBACK}
