"""Lower bounds as constraints for pip."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

EXTRAS = ("server", "datasets", "uvloop")
"""What a user installs; the tools of `dev` are pinned by constraints.txt and nowhere else needed."""
LOWER = (">=", "==", "~=")


def find_lowest(project: Mapping[str, Any]) -> dict[str, str]:
    """The lowest allowed version of each requirement of `[project]`, by its canonical name, on this platform.

    Raises ValueError for one without a lower bound.
    """
    lines = [*project["dependencies"], *(line for extra in EXTRAS for line in project["optional-dependencies"][extra])]
    lowest: dict[str, str] = {}
    for wanted in map(Requirement, lines):
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        bounds = [bound.version for bound in wanted.specifier if bound.operator in LOWER]
        if len(bounds) != 1:
            raise ValueError(f"{wanted} has no lower bound, or several")
        lowest[canonicalize_name(wanted.name)] = bounds[0]
    return lowest


def read_project(root: Path) -> dict[str, Any]:
    """The table `[project]` of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    return table


def make_constraints(root: Path) -> str:
    """For pip: the lowest versions, and of everything else at most the version in constraints.txt.

    At most, as a low version may need older ones: numpy 2.0 takes no newest pandas. What came out since is left out,
    so that the same commit installs the same.
    """
    lowest = find_lowest(read_project(root))
    pins = (line.partition("==") for line in (root / "constraints.txt").read_text().split())
    others = [f"{name}<={version}" for name, _, version in pins if canonicalize_name(name) not in lowest]
    return "\n".join([*(f"{name}=={version}" for name, version in lowest.items()), *others]) + "\n"
