"""`--abort-when "failures > 5 %, search p99 > 1 s"`: conditions in the grammar of requirements that end a run."""

import re
from collections.abc import Collection

from loadgen.results.requirements.parsing import FORM, MODES, TIMES, Requirement, parse_requirement
from loadgen.settings.faults import Fault, SettingsError

SETTING = "abort_when"
EVERY = "all"
"""All operations of a variant together, for a condition that names none."""
JUDGED = (*TIMES, "failures", "empty")
"""Figures that are known while a run goes on."""
BETWEEN = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*$)')
"""Commas outside of quotes."""
HINT = 'Write for example "failures > 5 %".'
MEANT = "Did you mean"


def read_abort_conditions(
    text: str, variants: Collection[str] = MODES
) -> tuple[tuple[Requirement, ...], tuple[Fault, ...]]:
    """The conditions, and a fault for each that cannot be read, or judged while a run goes on.

    `[operation] [variant] [at <level>] <figure> <relation> <number> [unit]`, joined by commas: without an operation all
    count together, without a variant each is judged by itself.
    """
    requirements: list[Requirement] = []
    faults: list[Fault] = []
    for part in BETWEEN.split(text) if text.strip() else ():
        try:
            one = parse_requirement(_complete(part.strip(), variants), variants)
        except SettingsError as error:
            faults += [_as_own(fault, part.strip()) for fault in error.faults]
            continue
        if one.figure not in JUDGED:
            problem = f"is on {one.figure}, which is not judged while a run goes on: use {', '.join(JUDGED)}"
            faults.append(Fault(SETTING, f'"{part.strip()}"', problem, HINT))
        else:
            requirements.append(one)
    return tuple(requirements), tuple(faults)


def _complete(text: str, variants: Collection[str]) -> str:
    """The condition with an operation: it names none if it begins with a figure, a variant, `at` or `service`."""
    form = FORM.fullmatch(text)
    what = form["what"].strip() if form else ""
    first = re.match(r"\"[^\"]*\"|'[^']*'|\S*", what)
    word = first[0].strip("\"'") if first else ""
    known = word in ("at", "service") or word.lower() in {name.lower() for name in variants}
    return f"{EVERY} {text}" if what and (known or word == what) else text


def _as_own(fault: Fault, text: str) -> Fault:
    hint = fault.hint.replace(f"{EVERY} ", "") if fault.hint.startswith(MEANT) else HINT
    return fault._replace(setting=SETTING, value=f'"{text}"', hint=hint)
