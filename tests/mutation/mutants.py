"""All places where the four folders can be mutated with the operators of cosmic-ray, and a seeded sample of mutants."""

import ast
import difflib
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.mutation.exclusions import find_exclusions
from tests.mutation.places import FOLDERS


@dataclass(frozen=True, slots=True)
class Place:
    """Where an operator of cosmic-ray changes something: at which of its places in the module."""

    module: str
    operator: str
    occurrence: int
    line: int
    text: str
    """The line as it is, and how many of the operator's places before have the same: this survives moved code."""

    @property
    def folder(self) -> str:
        """The folder of `loadgen/` that it is in."""
        return self.module.split("/")[1]

    @property
    def key(self) -> str:
        """What it is known by in the next run too."""
        return f"{self.module} {self.operator} {self.text}"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one module."""

    place: Place
    source: str
    diff: str

    def to_json(self) -> dict[str, Any]:
        """For the list of results."""
        return {"key": self.place.key, **asdict(self.place), "diff": self.diff}


def find_places(root: Path) -> Iterator[Place]:
    """All of them in the four folders, but for the excluded. Needs cosmic-ray, as all below that takes a place."""
    for folder in FOLDERS:
        for path in sorted((root / "loadgen" / folder).rglob("*.py")):
            yield from find_places_in(path.relative_to(root).as_posix(), path.read_text())


def find_places_in(module: str, source: str) -> Iterator[Place]:
    """Those of one module."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    nodes, lines = list(ast_nodes(get_ast(source))), source.splitlines()
    excluded = find_exclusions(source)
    for name in sorted(operator_names()):
        operator, seen = name.partition("/")[2], Counter[str]()
        if excluded.cover(operator, (0, 0)):
            continue
        mutation = get_operator(name)()
        starts = (start for node in nodes for start, _ in mutation.mutation_positions(node))
        for occurrence, start in enumerate(starts):
            text = lines[start[0] - 1].strip()
            seen[text] += 1
            if not excluded.cover(operator, start):
                yield Place(module, operator, occurrence, start[0], f"{seen[text]} {text}")


def draw_sample(places: Iterable[Place], size: int, seed: int, root: Path) -> list[Mutant]:
    """As many mutants, spread over the folders by how many places each has.

    Drawn by a hash of what each changes, so that a change of one line leaves the sample of the others as it was.
    """
    folders: dict[str, list[Place]] = {name: [] for name in FOLDERS}
    for place in places:
        folders[place.folder].append(place)
    shares = share_out({name: len(result) for name, result in folders.items()}, size)
    drawn: list[Mutant] = []
    for name, result in folders.items():
        result.sort(key=lambda place: hashlib.sha256(f"{seed} {place.key}".encode()).digest())
        mutants = (mutant for place in result if (mutant := make_mutant(place, root)) is not None)
        drawn += [mutant for mutant, _ in zip(mutants, range(shares[name]), strict=False)]
    return sorted(drawn, key=lambda mutant: (mutant.place.module, mutant.place.line, mutant.place.operator))


def share_out(sizes: dict[str, int], total: int) -> dict[str, int]:
    """Parts of this total in proportion to the sizes, by the largest remainders; at most the sizes themselves."""
    whole = sum(sizes.values())
    total = min(total, whole)
    exact = {name: size * total / whole for name, size in sizes.items()}
    shares = {name: int(part) for name, part in exact.items()}
    by_remainder = sorted(sizes, key=lambda name: shares[name] - exact[name])
    for name in by_remainder[: total - sum(shares.values())]:
        shares[name] += 1
    return shares


def make_mutant(place: Place, root: Path) -> Mutant | None:
    """The mutant of this place; None where it is no Python, such as `def f(a, +, b)`, or the same program."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    source = (root / place.module).read_text()
    mutated: str = mutate_code(source, get_operator(f"core/{place.operator}")(), place.occurrence)
    try:
        if ast.dump(ast.parse(mutated)) == ast.dump(ast.parse(source)):
            return None
    except SyntaxError:
        return None
    lines = difflib.unified_diff(source.splitlines(), mutated.splitlines(), lineterm="", n=0)
    return Mutant(place, mutated, "\n".join(line for line in list(lines)[2:] if not line.startswith("@@")))
