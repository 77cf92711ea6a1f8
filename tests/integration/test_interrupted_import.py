"""Ctrl-C while the package is still imported."""

import subprocess
import sys

import pytest

CODE = """
import sys

class CtrlC:
    def find_spec(self, name, path, target=None):
        if name == "{module}":
            raise KeyboardInterrupt

sys.meta_path.insert(0, CtrlC())
from loadgen import {name}
"""


@pytest.mark.parametrize(
    ("name", "module"), [("AsyncUser", "loadgen.users"), ("plug", "llama_index.core"), ("plug", "grpc")]
)
def test_it_ends_the_process_without_a_traceback(name: str, module: str) -> None:
    command = [sys.executable, "-c", CODE.format(name=name, module=module)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "Interrupted before the run began.\n")
