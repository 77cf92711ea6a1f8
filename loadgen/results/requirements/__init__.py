"""Requirements of a run, and whether it met them."""

from loadgen.results.requirements.judging import Judgement, judge, judge_empty
from loadgen.results.requirements.parsing import (
    CHECKED,
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
    "CHECKED",
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
