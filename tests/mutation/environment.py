"""The packages that make mutants and trace tests, in an environment of their own in build/mutation."""

import hashlib
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

from tests.mutation.places import HOME, ROOT

EXTRA = "mutation"
PINS = Path(__file__).with_name("constraints.txt")


def provide_environment() -> Path:
    """The folder of the packages: the extra `mutation` alone at its pinned versions, installed if it is not yet."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted: list[str] = project["optional-dependencies"][EXTRA]
    made_of = "\n".join([sys.version, *wanted, PINS.read_text()])
    folder = HOME / "env" / hashlib.sha256(made_of.encode()).hexdigest()[:12]
    ready = folder / ".ready"
    if not ready.exists():
        shutil.rmtree(HOME / "env", ignore_errors=True)  # those of other versions too
        venv.create(folder, with_pip=True, symlinks=True)
        quiet = ("--quiet", "--disable-pip-version-check")
        command = [str(folder / "bin" / "python"), "-m", "pip", "install", *quiet, "-c", str(PINS), *wanted]
        subprocess.run(command, check=True)
        ready.touch()
    (packages,) = folder.glob("lib/python*/site-packages")
    return packages
