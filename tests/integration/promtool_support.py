"""Series of runs that never were, and what an expression makes of them: `promtool` evaluates it, without a server."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

STEP = 5
"""Seconds between two scrapes."""
LENGTH = 720
"""Seconds covered by the samples."""
OWN = {"__rate_interval": f"{4 * STEP}s", "__range": f"{LENGTH}s", "__interval": f"{STEP}s"}
"""What Grafana would put in for its own variables."""


def labelled(name: str, **labels: object) -> str:
    """A series by its name and labels."""
    return name + "{" + ", ".join(f"{key}={json.dumps(str(value))}" for key, value in sorted(labels.items())) + "}"


@dataclass
class Samples:
    """What Prometheus has scraped. Moments are seconds, multiples of `STEP`."""

    series: dict[str, list[float | None]] = field(default_factory=dict)

    def gauge(self, name: str, since: int, until: int, value: float = 1) -> None:
        """A series that is there for a while only."""
        reported = self.series.setdefault(name, [None] * (LENGTH // STEP + 1))
        for place in range(since // STEP, until // STEP + 1):
            reported[place] = value

    def grow(self, name: str, rate: float, since: int, until: int) -> None:
        """A counter that is there from 0 on, and grows for a while by so much a second."""
        reported = self.series.setdefault(name, [0.0] * (LENGTH // STEP + 1))
        for place, value in enumerate(reported):
            reported[place] = (value or 0) + rate * min(max(place * STEP - since, 0), until - since)

    def as_input(self) -> list[dict[str, str]]:
        """As promtool's files have it; what has gone is marked stale, as after a scrape without it."""
        return [{"series": name, "values": " ".join(_texts(values))} for name, values in self.series.items()]


def _texts(values: list[float | None]) -> list[str]:
    gone = [value is None and values[max(place - 1, 0)] is not None for place, value in enumerate(values)]
    return ["stale" if end else "_" if value is None else f"{value:g}" for value, end in zip(values, gone, strict=True)]


def assert_values(reported: Samples, expr: str, at: int, expected: Mapping[str, float], folder: Path) -> None:
    """Fails, with promtool's words, where the expression has another value or other labels at that moment."""
    samples = [{"labels": labels, "value": value} for labels, value in expected.items()]
    test = {
        "interval": f"{STEP}s",
        "input_series": reported.as_input(),
        "promql_expr_test": [{"expr": f"round({expr}, 0.001)", "eval_time": f"{at}s", "exp_samples": samples}],
    }
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump({"evaluation_interval": f"{STEP}s", "tests": [test]}, width=10**6))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
