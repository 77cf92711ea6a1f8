"""What a run showed, in words for a first-time reader; terminal and reports share them."""

from loadgen.results.verdict.explaining import Explanation, explain
from loadgen.results.verdict.rates import find_unfound

__all__ = ["Explanation", "explain", "find_unfound"]
