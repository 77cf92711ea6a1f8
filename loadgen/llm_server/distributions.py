"""Delays and counts as a person writes them: a constant, or a distribution whose quantiles are known exactly."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from statistics import NormalDist

UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
LONGEST_DELAY = 600.0
MOST_TOKENS = 100_000
SHAPES = {
    "constant": "VALUE",
    "normal": "MEAN,SD",
    "lognormal": "MEDIAN,P99",
    "exponential": "MEAN",
    "uniform": "LOW-HIGH",
}
"""Shapes and their parameters, in the order in which they are written."""
STANDARD = NormalDist()
Z99 = STANDARD.inv_cdf(0.99)
NEARLY = 1e-12
NUMBER = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([a-z]*)")


@dataclass(frozen=True, slots=True)
class Distribution:
    """One of `SHAPES`. `text` is how it was written, `first` and `second` its parameters: seconds, or tokens."""

    text: str
    shape: str
    first: float
    second: float = 0.0

    def quantile(self, share: float) -> float:
        """The value that this share (0 to below 1) of all values does not exceed; never negative."""
        if self.shape == "exponential":
            return -self.first * math.log1p(-share)
        if self.shape == "uniform":
            return self.first + share * (self.second - self.first)
        if self.shape == "constant":
            return self.first
        z = STANDARD.inv_cdf(min(max(share, NEARLY), 1 - NEARLY))
        if self.shape == "normal":
            return max(0.0, self.first + self.second * z)
        return self.first * math.pow(self.second / self.first, z / Z99)

    def draw(self, random: Random) -> float:
        """One value, by inversion: equal random numbers give equal values."""
        return self.quantile(random.random())


def parse_delay(text: str) -> Distribution:
    """Such as `50ms`, `normal:50ms,10ms` or `uniform:20ms-80ms`. Raises ValueError."""
    return _parse(text, _read_duration)


def parse_tokens(text: str) -> Distribution:
    """Such as `20` or `uniform:10-30`. Raises ValueError."""
    return _parse(text, _read_tokens)


def _parse(text: str, read: Callable[[str], float]) -> Distribution:
    shape, mark, rest = text.partition(":")
    if not mark:
        shape, rest = "constant", text
    if shape not in SHAPES:
        raise ValueError(f"has no shape {shape!r}; choose {', '.join(SHAPES)}")
    wanted = SHAPES[shape]
    parts = rest.split("-" if shape == "uniform" else ",")
    if len(parts) != len(re.split("[,-]", wanted)):
        raise ValueError(f"is not of the form {shape}:{wanted}" if mark else "is not a single value")
    first, second = [*map(read, parts), 0.0][:2]
    if shape in {"uniform", "lognormal"} and second < first:
        raise ValueError(f"needs {wanted.replace('-', ' <= ').replace(',', ' <= ')}")
    if shape == "lognormal" and not first:
        raise ValueError("needs a median above 0")
    return Distribution(text, shape, first, second)


def _read_duration(text: str) -> float:
    match = NUMBER.fullmatch(text.strip())
    if match is None or (match[2] not in UNITS and (match[2] or float(match[1]))):
        raise ValueError(f"has no duration {text.strip()!r}; write a number and a unit, such as 500us, 50ms or 2s")
    seconds = float(match[1]) * UNITS.get(match[2], 0.0)
    if seconds > LONGEST_DELAY:
        raise ValueError(f"exceeds {LONGEST_DELAY:.0f}s")
    return seconds


def _read_tokens(text: str) -> float:
    match = NUMBER.fullmatch(text.strip())
    if match is None or match[2]:
        raise ValueError(f"has no number {text.strip()!r}; write one without a unit, such as 20")
    if float(match[1]) > MOST_TOKENS:
        raise ValueError(f"exceeds {MOST_TOKENS:,}")
    return float(match[1])
