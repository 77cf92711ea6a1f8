"""Figures that several views share, each computed in one place: throughput and load level."""

from collections.abc import Mapping
from dataclasses import dataclass

from loadgen.measure.sample import Outcome, count_answers


def throughput(outcomes: Mapping[Outcome, int], seconds: float) -> float:
    """Answered operations per second, empty answers included; 0 where no time has passed."""
    return count_answers(outcomes) / seconds if seconds > 0 else 0.0


def per_second(count: int, seconds: float) -> float:
    """Good operations or items per second; 0 where no time has passed."""
    return count / seconds if seconds > 0 else 0.0


def time_per_output_token(generating: float, tokens: int, answers: int) -> float | None:
    """Mean seconds per token after the first: the time of all streams from it to their end, by those tokens.

    `generating` are the seconds of all answers together, `tokens` all of theirs. This is the time per output token
    (TPOT) of vLLM's `benchmark_serving.py`, (latency - time to first token) / (tokens - 1), with answers weighted by
    their tokens, and with the end of the stream after the last one. None where no answer has more than one.
    """
    later = tokens - answers
    return generating / later if later > 0 else None


@dataclass(frozen=True, slots=True, order=True)
class LoadLevel:
    """A number of users, or arrivals per second."""

    is_open: bool
    value: float

    @property
    def short(self) -> str:
        """Such as `8` or `100/s`, for a column whose head names the unit."""
        return f"{self.value:g}/s" if self.is_open else f"{self.value:,.0f}"

    def __str__(self) -> str:
        """Such as `8 users` or `100/s`."""
        return self.short if self.is_open else f"{self.short} user{'' if self.value == 1 else 's'}"


def load_level(concurrency: int | None, rate: float | None) -> LoadLevel:
    """The level of a phase or of a comparison; one of the two is given."""
    return LoadLevel(True, rate) if rate else LoadLevel(False, float(concurrency or 0))
