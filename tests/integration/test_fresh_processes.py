"""What an interpreter is that imports the package first: unpatched by gevent, and with nothing started."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from loadgen.runtime.patching import SKIP_PATCHING
from tests.integration.locust_command import ROOT

EMPTY_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != SKIP_PATCHING}


def run_python(code: str, environment: Mapping[str, str] = EMPTY_ENVIRONMENT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment, cwd=ROOT, check=False)


def test_a_patched_process_that_is_no_locust_command_is_told_what_to_set() -> None:
    done = run_python("import locust\nfrom loadgen import AsyncUser")
    assert done.returncode == 1
    assert "PatchedProcessError" in done.stderr
    assert "LOCUST_SKIP_MONKEY_PATCH=1" in done.stderr


def test_a_script_that_imports_loadgen_first_stays_unpatched() -> None:
    done = run_python(
        "from loadgen import AsyncUser\nfrom gevent import monkey\n"
        "print(monkey.is_module_patched('socket'), AsyncUser.mode)"
    )
    assert (done.returncode, done.stdout.split()) == (0, ["False", "async"]), done.stderr


def test_a_locust_command_is_started_anew_once_without_the_patches(tmp_path: Path) -> None:
    locustfile = tmp_path / "file.py"
    locustfile.write_text(
        "import os\nprint('imported by', os.getpid(), flush=True)\n"
        "from locust import User, task, events\nfrom loadgen import AsyncUser, SyncUser, plug\nplug(events)\n"
        "import gevent.monkey\nprint('patched', gevent.monkey.is_module_patched('socket'))\n"
        "class Mine(AsyncUser):\n    @task\n    async def work(self): pass\n"
    )
    command = [str(Path(sys.executable).parent / "locust"), "-f", str(locustfile), "--list"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=EMPTY_ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr
    assert "Mine" in done.stdout
    assert "patched False" in done.stdout
    imports = [line for line in done.stdout.splitlines() if line.startswith("imported by")]
    assert len(imports) == 2
    assert imports[0] == imports[1], "the process is replaced, not left behind"


def test_importing_every_module_starts_no_thread_no_process_and_takes_no_signal() -> None:
    code = """
import importlib, json, pkgutil, signal, threading
import locust, psutil, pymilvus, llama_index.vector_stores.milvus, gevent.monkey

def state():
    handlers = {number.name: repr(signal.getsignal(number)) for number in signal.Signals}
    children = [child.pid for child in psutil.Process().children()]
    return [handlers, sorted(thread.name for thread in threading.enumerate()), children]

before = state()
import loadgen
names = [module.name for module in pkgutil.walk_packages(loadgen.__path__, "loadgen.")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
print(json.dumps({"names": names, "before": before, "after": state()}))
"""
    done = run_python(code, environment=os.environ | {SKIP_PATCHING: "1"})
    assert done.returncode == 0, done.stderr
    reported = json.loads(done.stdout)
    assert "loadgen.settings.model" in reported["names"]
    assert reported["after"] == reported["before"]
