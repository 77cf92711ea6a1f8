"""`--find-rate "search p99 < 50 ms, search failures < 1 %"`: requirements without a load, joined by commas."""

import re
from collections.abc import Collection

from loadgen.results.requirements.parsing import ITEMS, MODES, RATE, Requirement, parse_requirement
from loadgen.settings.faults import Fault, SettingsError

CONDITIONS = re.compile(r",(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)")
SUM_UP = 'Give a share, such as "search failures < 1 %".'
UNSOUGHT = {
    "ratio": "compares variants, but each has its own rate",
    "throughput": "is what the search raises",
    **dict.fromkeys(("goodput", ITEMS), "is per second, and so grows with the rate until the edge"),
    RATE: "is what the search finds",
    **dict.fromkeys(("cpu", "memory"), "is of the load generator, not of the server"),
}


def read_rate_conditions(text: str, variants: Collection[str] = MODES) -> tuple[list[Requirement], list[Fault]]:
    """The conditions of --find-rate, requirements joined by commas, and a fault for each that cannot be one."""
    requirements: list[Requirement] = []
    faults: list[Fault] = []
    for part in CONDITIONS.split(text) if text.strip() else ():
        try:
            one = parse_requirement(part.strip(), variants)
        except SettingsError as error:
            faults += [fault._replace(setting="find_rate") for fault in error.faults]
            continue
        shown = f'"{one.text}"'
        if one.concurrency is not None or one.rate is not None:
            faults.append(Fault("find_rate", shown, "names a load, which the search chooses", "Omit it."))
        elif one.figure in UNSOUGHT:
            hint = 'Write for example "search p99 < 50 ms".'
            faults.append(Fault("find_rate", shown, f"is on a figure that {UNSOUGHT[one.figure]}", hint))
        elif one.is_total:
            faults.append(Fault("find_rate", shown, "is on a number of failures, which grows with the time", SUM_UP))
        else:
            requirements.append(one)
    return requirements, faults
