"""`--require "search async at 32 p99 < 50 ms"` and `--max-failures 1%`, read into numbers."""

import difflib
import math
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn

from loadgen.measure.objective import RESPONSE, TIME_UNITS
from loadgen.measure.operation import NAME
from loadgen.settings.faults import Fault, SettingsError

TIMES = ("mean", "p50", "p90", "p95", "p99", "p99.9", "max")
"""Figures of response times."""
RECOVERY = "recovery"
RATE = "rate"
"""The figure that a search for the highest rate finds."""
OF_ALL = (RECOVERY, RATE)
"""Figures that need no operation."""
FIGURES = (
    *TIMES, "throughput", "goodput", "failures", "empty", "recall", "mrr", "ratio", RECOVERY, RATE, "cpu", "memory",
)  # fmt: skip
CHECKED = ("recall", "mrr")
"""Figures of answers that are checked, from 0 to 1."""
ITEMS = "items"
"""The figure of items per second, such as tokens: its name is that of the items."""
UNITS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("throughput", "goodput", RATE, ITEMS), ("/s", "")),
    "failures": ("%", ""),
    "empty": ("%",),
    "recall": ("", "%"),
    "mrr": ("",),
    "ratio": ("",),
    RECOVERY: tuple(TIME_UNITS),
    "cpu": ("us", "ms", "s"),
    "memory": ("MB", "MiB", "GB", "GiB"),
}
"""Units of the other figures; an empty string allows none."""
BYTES = {"MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30}
"""Bytes per unit."""
MODES = ("sync", "async")
"""The default variants of a run."""
WORDS = re.compile(r"\"([^\"]*)\"|'([^']*)'|([^\s\"']+)")
QUOTED = '"'
"""Marks a word that was quoted."""
PER_CENT = 100
CLOSE = 0.75
"""Similarity from which a word is taken for a mistyped one: p98 is not taken for p99."""
EXAMPLE = "search async p99 < 50 ms"
EXAMPLES = {
    **dict.fromkeys(TIMES, EXAMPLE),
    "throughput": "search async throughput >= 200 /s",
    "goodput": "ask goodput > 20 /s",
    ITEMS: "ask async tokens_out > 500 /s",
    "failures": "insert failures < 1 %",
    "empty": "search empty < 1 %",
    "recall": "search recall >= 0.95",
    "mrr": "retrieve mrr > 0.8",
    "ratio": "search at 32 ratio > 1.2",
    RATE: "rate async > 500 /s",
    "cpu": "search async cpu < 3 ms",
    "memory": "search async memory < 2 GiB",
}
FORM = re.compile(
    r"(?P<what>(?:\"[^\"]*\"|'[^']*'|[^<>=\"'])*?)\s*"
    r"(?P<comparator><=|>=|<|>)(?!=)\s*(?P<limit>.*?)(?:\s+at\b\s*(?P<level>.*))?"
)
QUANTITY = re.compile(r"(?P<number>\d+(?:\.\d+)?|\.\d+)\s*(?P<unit>\S*)")


@dataclass(frozen=True, slots=True)
class Requirement:
    """A limit on one figure of one operation, in every phase in scope."""

    text: str
    operation: str
    variant: str | None
    """None: each variant that ran; for a ratio, each that is compared with the baseline."""
    figure: str
    comparator: str
    limit: float
    """Seconds, operations per second, bytes, a count, or a share of 1, by figure and unit."""
    unit: str
    """As given; empty for none."""
    concurrency: int | None = None
    """The concurrency it applies to; None for all, unless there is a rate."""
    rate: float | None = None
    """The rate of arrivals (per second) it applies to."""
    part: str = ""
    """Which time: empty for the response time, `service`, or the name of a stage. For items per second their name."""

    @property
    def is_upper_time(self) -> bool:
        """True for an upper limit on a time."""
        return self.figure in TIMES and self.comparator.startswith("<")

    @property
    def is_total(self) -> bool:
        """True for a count of failures: it is summed over the phases; all else is judged per phase."""
        return self.figure == "failures" and self.unit != "%"


@dataclass(frozen=True, slots=True)
class FailureLimit:
    """Maximum failures of a run, over all its phases."""

    text: str
    limit: float
    is_share: bool
    """True if the limit is a share of all operations, from 0 to 1; False if it is a count."""


def parse_requirements(texts: Iterable[str], variants: Collection[str] = MODES) -> list[Requirement]:
    """Parse every requirement. Raises SettingsError with a fault for each that cannot be parsed."""
    requirements: list[Requirement] = []
    faults: list[Fault] = []
    for text in texts:
        try:
            requirements.append(parse_requirement(text, variants))
        except SettingsError as error:
            faults += error.faults
    if faults:
        raise SettingsError(faults)
    return requirements


def parse_requirement(text: str, variants: Collection[str] = MODES) -> Requirement:
    """Read `<operation> [variant] [at <users> | at <rate>/s] <figure> <relation> <number> [unit]`.

    A variant is one of the names given, quoted if it contains spaces. A time may be that of a part: `service p99`, or a
    stage such as `first_token p99`. Any other figure with the unit /s or none is a number of items per second, such as
    `tokens_out`. The level may also be last. Raises SettingsError with one fault: the text, the problem and an example.
    """
    parts = FORM.fullmatch(text.strip())
    if parts is None:
        is_open = any(text.count(quote) % 2 for quote in "\"'")
        _refuse(text, "has an unterminated quote" if is_open else "has no comparison: <, <=, > or >=")
    words, level = _take_level(text, _split(parts["what"]), parts["level"])
    operation, variant, part, figure = _read_what(text, words, variants, parts["limit"])
    limit, unit = _read_limit(text, figure, parts["limit"])
    concurrency, rate = _read_level(text, level)
    return Requirement(
        text.strip(), operation, variant, figure, parts["comparator"], limit, unit, concurrency, rate, part
    )


def _split(what: str) -> list[str]:
    """Words; quoted ones are prefixed with a mark."""
    matches = WORDS.findall(what)
    return [f"{QUOTED}{double or single}" if double or single else word for double, single, word in matches]


def _take_level(text: str, words: list[str], last: str | None) -> tuple[list[str], str | None]:
    if "at" not in words[1:]:
        return words, last
    place = words.index("at", 1)
    if last is not None or place + 1 >= len(words):
        _refuse(
            text, "has 'at' twice" if last is not None else "has no users or rate after 'at' (use at 32, or at 200/s)"
        )
    return [*words[:place], *words[place + 2 :]], words[place + 1]


def _read_what(text: str, words: list[str], variants: Collection[str], limit: str) -> tuple[str, str | None, str, str]:
    """Operation, variant, part and figure."""
    first = words[0].lower() if words else ""
    if first in OF_ALL and not any(word.lower() in FIGURES for word in words[1:]):
        return "", _read_between(text, words[1:], variants, first)[0], "", first
    if len(words) not in (2, 3, 4):
        _refuse(text, "does not start with an operation, an optional variant and a figure")
    figure = words[-1].lower().replace("_", ".")
    item = "" if figure in FIGURES else _find_item(text, words[-1], limit)
    if item:
        figure = ITEMS
    elif figure not in FIGURES:
        _refuse(
            text,
            f"names an unknown figure: '{words[-1]}' is none of {', '.join(FIGURES)}",
            meant=_close(text, words[-1], FIGURES),
        )
    variant, part = _read_between(text, words[1:-1], variants, figure)
    if part and figure not in TIMES:
        _refuse(text, f"asks for '{part}' of {item or figure}, which has no parts", figure)
    return words[0], variant, item or part, figure


def _find_item(text: str, word: str, limit: str) -> str:
    """The name of items in `tokens_out > 500`, `tokens_out > 500 /s` and `tokens_out/s > 500`; empty if it is none."""
    name, parts = word.removesuffix("/s"), QUANTITY.fullmatch(limit)
    is_rate = parts is not None and parts["unit"].lower() in UNITS[ITEMS]
    return name if is_rate and NAME.fullmatch(name) and not _close(text, word, FIGURES) else ""


def _read_between(text: str, words: list[str], variants: Collection[str], figure: str) -> tuple[str | None, str]:
    """The variant and the part that the words between operation and figure name."""
    if not words:
        return None, ""
    name = words[0].removeprefix(QUOTED)
    if words[-1] == RESPONSE and figure in TIMES:
        return _read_between(text, words[:-1], variants, figure)
    alike = [one for one in variants if one.lower() == name.lower()]
    known = name if name in alike else alike[0] if len(alike) == 1 else None
    if known is not None or name.lower() == "any":
        part = words[1].removeprefix(QUOTED) if len(words) > 1 else ""
        if part in variants:
            _refuse(text, f"names two variants: '{name}' and '{part}'", figure)
        return known, part
    meant = _close(text, name, [*variants, "any"])
    if len(words) > 1 or figure not in TIMES or not NAME.fullmatch(name) or meant:
        shown = ", ".join([*(f"'{one}'" if " " in one else one for one in variants), "any"])
        _refuse(text, f"names an unknown variant: '{name}' is none of {shown}", figure, meant)
    return None, name


def _read_limit(text: str, figure: str, limit: str) -> tuple[float, str]:
    parts = QUANTITY.fullmatch(limit)
    if parts is None:
        _refuse(text, f"has no valid limit (0 or more, with its unit): '{limit}'", figure)
    given = parts["unit"].lower().replace("µ", "u").replace("μ", "u")
    allowed = tuple(TIME_UNITS) if figure in TIMES else UNITS[figure]
    unit = next((one for one in allowed if one.lower() == given), None)
    if unit is None:
        problem = f"'{parts['unit']}' is no unit" if given else "has no unit"
        _refuse(text, f"{problem} for {figure}: use {', '.join(name or 'none' for name in allowed)}", figure)
    number = Decimal(parts["number"])
    if figure == "failures" and not unit and number % 1:
        _refuse(text, f"needs a whole number of failures, not '{limit}'; a share needs a %", figure)
    divisor = PER_CENT if unit == "%" else TIME_UNITS.get(unit, 1)
    value = float(number * BYTES.get(unit, 1) / divisor)  # in Decimal, so that 0.3 % is the float 0.003
    if not math.isfinite(value):
        _refuse(text, "has an infinite limit", figure)
    if figure in CHECKED and value > 1:
        _refuse(text, f"has a{'n' if figure == 'mrr' else ''} {figure} above 1", figure)
    return value, unit


def _read_level(text: str, level: str | None) -> tuple[int | None, float | None]:
    if level is None:
        return None, None
    parts = QUANTITY.fullmatch(level)
    number = Decimal(parts["number"]) if parts else Decimal(0)
    if parts and parts["unit"] == "/s" and number > 0:
        return None, float(number)
    if parts is None or parts["unit"] or number < 1 or number % 1:
        _refuse(text, f"has no users or rate after 'at': '{level}' (use at 32, or at 200/s)")
    return int(number), None


def _close(text: str, word: str, words: Sequence[str]) -> str:
    """The text with the closest known word in place of this one; empty if there is none."""
    close = difflib.get_close_matches(word.lower(), [str(one) for one in words], n=1, cutoff=CLOSE)
    return re.sub(rf"(?<!\S){re.escape(word)}(?!\S)", close[0], text.strip(), count=1) if close else ""


def _refuse(text: str, problem: str, figure: str = "", meant: str = "") -> NoReturn:
    example = EXAMPLES.get(figure, EXAMPLE)
    hint = f'Did you mean "{meant}"?' if meant else f'Write for example "{example}".'
    raise SettingsError([Fault("require", f'"{text}"', problem, hint)])


def parse_max_empty(text: str) -> float:
    """Read `1%`, a share of all answers, as 0.01. Raises SettingsError with a fault for `max_empty`."""
    parts = QUANTITY.fullmatch(text.strip())
    number = Decimal(parts["number"]) if parts else Decimal(0)
    if parts is None or parts["unit"] != "%" or number > PER_CENT:
        raise SettingsError([Fault("max_empty", text, "is not a share from 0 % to 100 %", "Write for example 1%.")])
    return float(number / PER_CENT)


def parse_max_failures(text: str) -> FailureLimit:
    """Read `1%` (of all operations) or `10` (a count). Raises SettingsError with a fault for `max_failures`."""
    parts = QUANTITY.fullmatch(text.strip())
    number = Decimal(parts["number"]) if parts else Decimal(0)
    if parts and parts["unit"] == "%" and number <= PER_CENT:
        return FailureLimit(text.strip(), float(number / PER_CENT), is_share=True)
    if parts is None or parts["unit"] or number % 1:
        problem = "is neither a share from 0 % to 100 % nor a whole number"
        raise SettingsError([Fault("max_failures", text, problem, "Write for example 1% or 10.")])
    return FailureLimit(text.strip(), float(number), is_share=False)
