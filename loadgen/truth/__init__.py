"""What is right: the exact nearest neighbours, how many of them a search finds, and whether both modes agree."""

from loadgen.truth.agreement import Answer, find_difference
from loadgen.truth.cache import cached_truth, default_folder
from loadgen.truth.checks import Check, Checks
from loadgen.truth.neighbours import Rows, Truth, count_checked, find_neighbours
from loadgen.truth.recall import Recalls, differ

__all__ = [
    "Answer",
    "Check",
    "Checks",
    "Recalls",
    "Rows",
    "Truth",
    "cached_truth",
    "count_checked",
    "default_folder",
    "differ",
    "find_difference",
    "find_neighbours",
]
