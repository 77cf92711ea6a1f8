"""What a run showed, in words for somebody who sees it for the first time; terminal and reports say the same ones."""

from loadgen.results.verdict.explaining import Explanation, explain

__all__ = ["Explanation", "explain"]
