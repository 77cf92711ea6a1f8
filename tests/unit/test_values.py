"""Values of the package are frozen and have slots; what counts, or keeps what happens, is listed."""

import importlib
import pkgutil
from dataclasses import is_dataclass

import loadgen

CHANGING = {
    "AgentCall", "Backlog", "Course", "Flow", "Health", "NarrowedQuery", "OperationStats", "OutcomeCourse",
    "ProcessHealth", "ProcessState", "Recalls", "Records", "Run", "Side", "SliceStats", "SuccessWatch", "Usage",
    "Window", "_Agent", "_Part", "_Stopwatch",
}  # fmt: skip


def find_dataclasses() -> set[type]:
    names = [each.name for each in pkgutil.walk_packages(loadgen.__path__, "loadgen.")]
    modules = [importlib.import_module(name) for name in names if not name.endswith("__main__")]
    each = {one for module in modules for one in vars(module).values() if isinstance(one, type) and is_dataclass(one)}
    return {one for one in each if one.__module__.startswith("loadgen.")}


def test_values_are_frozen_but_for_those_that_change() -> None:
    ours = find_dataclasses()
    assert len(ours) > 60
    assert {one.__qualname__ for one in ours if not vars(one)["__dataclass_params__"].frozen} == CHANGING


def test_values_have_slots() -> None:
    assert {one.__qualname__ for one in find_dataclasses() if "__slots__" not in vars(one)} == set()
