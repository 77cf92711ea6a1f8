"""The constraints of `make lowest` are what pyproject.toml says, so that they cannot drift."""

from pathlib import Path

import pytest

from tests.lowest.__main__ import find_problems
from tests.lowest.bounds import find_lowest, make_constraints, read_project

ROOT = Path(__file__).parents[2]


def test_the_lowest_versions_are_the_lower_bounds_of_everything_a_user_installs() -> None:
    project = {
        "dependencies": ["Some.Thing>=1.2,<2", "exact[extra]==3!4.0", "nowhere>=9; sys_platform == 'nowhere'"],
        "optional-dependencies": {
            "server": ["one>=1"],
            "datasets": ["three>=3"],
            "uvloop": ["two~=2.1"],
            "dev": ["unbounded"],
        },
    }
    assert find_lowest(project) == {"some-thing": "1.2", "exact": "3!4.0", "one": "1", "three": "3", "two": "2.1"}


@pytest.mark.parametrize("line", ["open", "open<3", "open>2", "open>=1,>=2"])
def test_a_requirement_without_one_lower_bound_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match="has no lower bound, or several"):
        find_lowest({"dependencies": [line], "optional-dependencies": {"server": [], "datasets": [], "uvloop": []}})


def test_each_package_is_constrained_once() -> None:
    lowest = find_lowest(read_project(ROOT))
    lines = make_constraints(ROOT).splitlines()
    assert lines[: len(lowest)] == [f"{name}=={version}" for name, version in lowest.items()]
    names = [line.replace("<=", "==").partition("==")[0].lower() for line in lines]
    assert len(set(names)) == len(names)
    assert all("<=" in line for line in lines[len(lowest) :])


def test_ci_runs_them() -> None:
    assert "\nmake lowest\n" in (ROOT / ".ci" / "run").read_text()


def test_a_record_with_a_failure_or_without_one_mode_is_a_problem() -> None:
    def phase(mode: str, **outcomes: int) -> dict[str, object]:
        return {"mode": mode, "operations": [{"operation": "search", "outcomes": outcomes}]}

    assert list(find_problems({"phases": [phase("sync", ok=3), phase("async", ok=2, empty=1, timeout=0)]})) == []
    assert list(find_problems({"phases": [phase("sync", ok=3, failed=2)]})) == [
        "2 search operations of sync were failed", "async did nothing",
    ]  # fmt: skip
