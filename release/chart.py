"""The chart as an archive beside the wheel: `python -m release.chart FOLDER`. Its version is the wheel's, as SemVer."""

import sys
from pathlib import Path

from helm_python.chart import lint, package
from packaging.utils import parse_wheel_filename
from packaging.version import Version

ROOT = Path(__file__).parents[1]
CHART = ROOT / "charts" / "milvus-loadgen"
REQUIRED = {"milvus": {"uri": "http://my-milvus:19530"}}
"""Values without which the chart renders nothing."""
WARNING = 2
"""Helm's number for the lowest severity that fails the build."""


def find_version(folder: Path) -> Version:
    """The version of the one wheel in a folder. Raises ValueError if there is none, or more than one."""
    wheels = sorted(path.name for path in folder.glob("milvus_loadgen-*.whl"))
    if len(wheels) != 1:
        raise ValueError(f"{folder} has {len(wheels)} wheels of milvus-loadgen instead of one: run `make build`")
    return parse_wheel_filename(wheels[0])[1]


def as_semantic(version: Version) -> str:
    """The version as Helm wants it: `0.2.1.dev3+g1a2b3c4` is `0.2.1-dev.3+g1a2b3c4`."""
    development = "" if version.dev is None else f"-dev.{version.dev}"
    local = "" if version.local is None else f"+{version.local}"
    return f"{version.base_version}{development}{local}"


def find_problems(chart: Path = CHART) -> list[str]:
    """Helm's warnings and errors about a chart."""
    report = lint(chart, REQUIRED, strict=True)
    return [message["error"] for message in report["messages"] if message["severity"] >= WARNING]


def package_chart(folder: Path) -> Path:
    """Write the archive beside the wheel. Raises ValueError with what Helm has against the chart."""
    if problems := find_problems():
        raise ValueError(f"{CHART.relative_to(ROOT)}: {'; '.join(problems)}")
    semantic = as_semantic(find_version(folder))
    # The chart's default tag of the image is its appVersion, and a tag cannot contain "+".
    return Path(package(CHART, destination=folder, version=semantic, app_version=semantic.partition("+")[0]))


def main() -> int:
    """Package, and print the path: 0; or 1 with the reason."""
    try:
        print(package_chart(Path(sys.argv[1])))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
