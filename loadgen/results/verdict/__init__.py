"""What a run showed, in words for a first-time reader; terminal and reports share them."""

from loadgen.results.verdict.explaining import Explanation, explain, explain_series
from loadgen.results.verdict.rates import find_unfound

__all__ = ["Explanation", "explain", "explain_series", "find_unfound"]
