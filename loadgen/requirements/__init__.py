"""What a run has to reach, and whether it did."""

from loadgen.requirements.judging import Judgement, judge
from loadgen.requirements.parsing import (
    FailureLimit,
    Requirement,
    parse_max_failures,
    parse_requirement,
    parse_requirements,
)

__all__ = [
    "FailureLimit",
    "Judgement",
    "Requirement",
    "judge",
    "parse_max_failures",
    "parse_requirement",
    "parse_requirements",
]
