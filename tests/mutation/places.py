"""Where a mutation run keeps what it makes, all of it in build/mutation."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
HOME = ROOT / "build" / "mutation"
TREE = HOME / "tree"
"""The private copy that mutants are written into; the working tree is only read."""
TRACES = HOME / "traces"
RESULTS = HOME / "results.json"
FOLDERS = ("control", "measure", "results", "settings")
"""The folders of `loadgen/` that are mutated: what decides, counts and judges."""
