"""Which share of the requests fails, and how."""

import math
import re
from dataclasses import dataclass

BROKEN, THROTTLED = "broken", "429"
STATUS = re.compile(r"429|5[0-9]{2}")
PART = re.compile(r"([0-9a-z]+) ?: ?([0-9]{0,3}(?:\.[0-9]{1,9})?)")


@dataclass(frozen=True, slots=True)
class ErrorMix:
    """Shares of the requests that end in an error: a status (429, 5xx), or `broken`, a connection cut mid-answer."""

    text: str = ""
    shares: tuple[tuple[str, float], ...] = ()

    def pick(self, share: float) -> str:
        """The error of a request by a random number from 0 to below 1; empty: none."""
        for error, part in self.shares:
            if share < part:
                return error
            share -= part
        return ""


def parse_errors(text: str) -> ErrorMix:
    """Such as `429:0.01; 500:0.02; broken:0.01`; empty: no errors. Raises ValueError."""
    shares: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        match = PART.fullmatch(part)
        if match is None or not re.search("[0-9]", match[2]):
            raise ValueError(f"has the part {part!r}; write ERROR:SHARE, such as 429:0.01")
        error, share = match[1], float(match[2])
        if error != BROKEN and not STATUS.fullmatch(error):
            raise ValueError(f"has the unknown error {error!r}; choose 429, a status from 500 to 599, or broken")
        if error in shares:
            raise ValueError(f"names {error} twice")
        shares[error] = share
    if math.fsum(shares.values()) > 1:
        raise ValueError("has shares whose sum exceeds 1; lower them")
    return ErrorMix(text, tuple(shares.items()))
