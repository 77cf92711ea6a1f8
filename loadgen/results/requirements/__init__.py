"""Requirements of a run, and whether it met them."""

from loadgen.results.requirements.judging import Judgement, judge, judge_empty
from loadgen.results.requirements.parsing import (
    FIGURES,
    ITEMS,
    FailureLimit,
    Requirement,
    parse_max_empty,
    parse_max_failures,
    parse_requirement,
    parse_requirements,
)

__all__ = [
    "FIGURES",
    "ITEMS",
    "FailureLimit",
    "Judgement",
    "Requirement",
    "judge",
    "judge_empty",
    "parse_max_empty",
    "parse_max_failures",
    "parse_requirement",
    "parse_requirements",
]
