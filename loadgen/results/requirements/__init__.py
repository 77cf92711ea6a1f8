"""Requirements of a run, and whether it met them."""

from loadgen.results.requirements.judging import Judgement, Reading, judge, judge_empty, read_phase
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
    read_rate_conditions,
)

__all__ = [
    "CHECKED",
    "FIGURES",
    "ITEMS",
    "FailureLimit",
    "Judgement",
    "Reading",
    "Requirement",
    "judge",
    "judge_empty",
    "parse_max_empty",
    "parse_max_failures",
    "parse_requirement",
    "parse_requirements",
    "read_phase",
    "read_rate_conditions",
]
