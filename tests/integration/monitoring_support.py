"""A real Prometheus over real runs, as `make monitoring` starts it, and what its queries name."""

import json
import math
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

from tests.integration.locust_command import ROOT

NOTHING = "http://127.0.0.1:9"
"""An address at which nothing is served."""
CHART = ROOT / "charts" / "milvus-loadgen"
DASHBOARDS = sorted((CHART / "dashboards").glob("*.json"))
SELECTOR = re.compile(
    r"\b((?:loadgen|milvus|llm_server|process|variant|variant_to_baseline)[_:][a-z0-9_:]+)(?:\{([^}]*)\})?"
)
MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*["`]')
GROUPING = re.compile(r"\b(?:by|on|group_left|ignoring) \(([^)]*)\)")


@dataclass(frozen=True)
class Prometheus:
    """One that runs, and its folder."""

    address: str
    folder: Path

    def get(self, path: str, **parameters: object) -> Any:
        """The data of an answer of its API. Raises AssertionError with Prometheus's own words."""
        try:
            with urlopen(f"{self.address}/api/v1/{path}?{urlencode(parameters, doseq=True)}", timeout=20) as answer:  # noqa: S310
                return json.load(answer)["data"]
        except HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None

    def values(self, query: str, at: float | None = None) -> dict[tuple[str, ...], float]:
        """An instant query: values by the values of their labels, in the order of the labels' names."""
        result = self.get("query", query=query, **({} if at is None else {"time": at}))["result"]
        return {tuple(value for _, value in sorted(one["metric"].items())): float(one["value"][1]) for one in result}

    def value(self, query: str, at: float | None = None) -> float:
        """An instant query with one result."""
        (result,) = self.values(query, at).values()
        return result

    def range(self, query: str, start: float, end: float) -> list[dict[str, Any]]:
        """The lines that a panel would draw: labels, and values with their times."""
        result: list[dict[str, Any]] = self.get("query_range", query=query, start=start, end=end, step=1)["result"]
        return result

    def points(self, query: str, start: float, end: float) -> list[float]:
        """All numbers that a panel would draw."""
        numbers = [float(value) for one in self.range(query, start, end) for _, value in one["values"]]
        return [number for number in numbers if math.isfinite(number)]

    def lines(self, query: str, start: float, end: float) -> list[dict[str, str]]:
        """The labels of each line that a panel would draw."""
        return [one["metric"] for one in self.range(query, start, end)]

    def labels(self, selector: str, start: float, end: float) -> set[str]:
        """Names of the labels of all series that a selector finds."""
        result = self.get("series", **{"match[]": selector, "start": start, "end": end})
        return {label for one in result for label in one}

    def wait_for(self, query: str, seconds: float = 20) -> None:
        """Wait until an instant query has a result."""
        deadline = time.monotonic() + seconds
        while not self.values(query):
            assert time.monotonic() < deadline, f"no {query} within {seconds} s"
            time.sleep(0.2)


@contextmanager
def monitoring(folder: Path, port: int, milvus_metrics: str, llm_metrics: str = NOTHING) -> Iterator[Prometheus]:
    """What `make monitoring` runs, in a folder of its own."""
    own = {
        "MONITORING_FOLDER": str(folder),
        "PROMETHEUS_PORT": str(port),
        "MILVUS_METRICS": urlsplit(milvus_metrics).netloc,
        "LLM_METRICS": urlsplit(llm_metrics).netloc,
        "GRAFANA_PORT": "0",
    }
    command = [str(ROOT / "k8s" / "monitoring" / "local" / "run")]
    with (folder / "log").open("w") as log:
        stack = subprocess.Popen(command, env=os.environ | own, stdout=log, stderr=log, start_new_session=True)
    try:
        result = Prometheus(f"http://127.0.0.1:{port}", folder)
        deadline = time.monotonic() + 30
        while not _is_ready(result):
            assert stack.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.1)
        yield result
    finally:
        os.killpg(stack.pid, signal.SIGTERM)
        stack.wait(20)


def _is_ready(prometheus: Prometheus) -> bool:
    try:
        with urlopen(f"{prometheus.address}/-/ready", timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False


def panel_queries(*names: str) -> list[tuple[str, str]]:
    """Every query of every panel and annotation of these dashboards, or of all, with its location."""
    result = []
    for path in DASHBOARDS:
        if names and path.stem not in names:
            continue
        dashboard = json.loads(path.read_text())
        targets = [(panel["title"], target) for panel in dashboard["panels"] for target in panel.get("targets", ())]
        targets += [(one["name"], one["target"]) for one in dashboard["annotations"]["list"]]
        result += [(f"{path.stem}: {title} {target['refId']}", target["expr"]) for title, target in targets]
    return result


def variable_queries() -> list[tuple[str, str, str]]:
    """Every query of a variable: its location, its selector, and the label whose values it takes."""
    result = []
    for path in DASHBOARDS:
        for variable in json.loads(path.read_text())["templating"]["list"]:
            if variable["type"] == "query":
                reported = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"])
                if reported is None:
                    continue
                result.append((f"{path.stem}: ${variable['name']}", reported[1], reported[2]))
    return result


VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+):(\w+)\})")
FORMATS: dict[str, Callable[[str], str]] = {"": str, "regex": re.escape, "doublequote": json.dumps}
"""What Grafana makes of a value, as far as these queries need it: `All` is `.*`, whatever the format."""


def substitute(query: str, chosen: Mapping[str, str]) -> str:
    """The query with these values of variables, and all others at `All`."""

    def replace(word: "re.Match[str]") -> str:
        value = chosen.get(word[1] or word[2])
        return ".*" if value is None else FORMATS[word[3] or ""](value)

    return VARIABLE.sub(replace, query)


def fill_in(query: str, seconds: float, **chosen: str) -> str:
    """The query as Grafana sends it, with these choices and everything else at `All`."""
    own = {"__range": f"{seconds:.0f}s", "__interval": "2s", "__rate_interval": "5s", "baseline": "sync"}
    return substitute(query, own | chosen)


def find_unknown(prometheus: Prometheus, query: str, span: tuple[float, float]) -> list[str]:
    """Metrics and labels that a query names and nothing has: a matcher such as =~".*" would never tell."""
    unknown = []
    known: set[str] = set()
    for name, matchers in SELECTOR.findall(query):
        labels = prometheus.labels(f"{name}{{{matchers}}}", *span)
        if not labels:
            unknown.append(f"{name}{{{matchers}}}")
        unknown += [f"{name}: {label}" for label in MATCHER.findall(matchers) if labels and label not in labels]
        known |= labels
    for group in GROUPING.findall(query):
        unknown += [label for label in re.split(r",\s*", group) if label and label not in known]
    return unknown
