"""What a run showed, in words for a first-time reader; terminal and reports share them."""

from loadgen.results.verdict.explaining import Explanation, explain

__all__ = ["Explanation", "explain"]
