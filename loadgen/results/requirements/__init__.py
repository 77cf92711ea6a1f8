"""Requirements of a run, and whether it met them."""

from loadgen.results.requirements.faults import judge_faults
from loadgen.results.requirements.found_rates import find_proven
from loadgen.results.requirements.judging import judge, judge_empty, read_phase
from loadgen.results.requirements.parsing import (
    CHECKED,
    FIGURES,
    ITEMS,
    OF_ALL,
    RATE,
    RECOVERY,
    FailureLimit,
    Requirement,
    parse_max_empty,
    parse_max_failures,
    parse_requirement,
    parse_requirements,
)
from loadgen.results.requirements.rate_conditions import read_rate_conditions
from loadgen.results.requirements.reading import Judgement, Reading

__all__ = [
    "CHECKED",
    "FIGURES",
    "ITEMS",
    "OF_ALL",
    "RATE",
    "RECOVERY",
    "FailureLimit",
    "Judgement",
    "Reading",
    "Requirement",
    "find_proven",
    "judge",
    "judge_empty",
    "judge_faults",
    "parse_max_empty",
    "parse_max_failures",
    "parse_requirement",
    "parse_requirements",
    "read_phase",
    "read_rate_conditions",
]
