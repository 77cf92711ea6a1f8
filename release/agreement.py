"""Whether every place that names the current release names the same: `python -m release.agreement [TAG]`.

The exit code is 0 if they do, and 1 with a line for each place that does not.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEADING = re.compile(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$", re.MULTILINE)
CHART = Path("charts", "milvus-loadgen")
IMAGE = re.compile(r"\bmilvus-loadgen:(\d+\.\d+\.\d+)")
WITH_IMAGES = ("Dockerfile", "Makefile", "k8s", str(CHART))
"""Files and folders whose commands and values name the image by its tag."""


def find_release(root: Path = ROOT) -> str:
    """The newest release of CHANGELOG.md. Raises ValueError if there is none."""
    heading = HEADING.search((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    if heading is None:
        raise ValueError("CHANGELOG.md has no release: its heading is `## [1.2.3] - 2026-01-31`")
    return heading[1]


def find_disagreements(root: Path = ROOT, tag: str = "") -> list[str]:
    """A sentence for each place whose version is not that of the newest release in CHANGELOG.md."""
    release = find_release(root)
    places = _versions(root) | ({"the tag": tag.removeprefix("v")} if tag else {})
    return [
        f"{place}: {version}, but CHANGELOG.md has {release}" for place, version in places.items() if version != release
    ]


def read_notes(root: Path = ROOT) -> str:
    """The section of the newest release in CHANGELOG.md, without its heading."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## [{find_release(root)}]")[2].partition("\n")[2]
    return section.partition("\n## [")[0].strip() + "\n"


def _versions(root: Path) -> dict[str, str]:
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools_scm"]
    versions = {"pyproject.toml, fallback_version": settings["fallback_version"]}
    chart = (root / CHART / "Chart.yaml").read_text(encoding="utf-8")
    versions |= {
        f"Chart.yaml, {key}": value.strip('"')
        for key, value in re.findall(r"^(version|appVersion): (\S+)$", chart, re.MULTILINE)
    }
    for name in WITH_IMAGES:
        for path in sorted([root / name] if (root / name).is_file() else (root / name).rglob("*")):
            if path.is_file() and path.suffix in ("", ".md", ".yaml", ".sh", ".tpl"):
                for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                    versions |= {f"{path.relative_to(root)}:{number}": image[1] for image in IMAGE.finditer(line)}
    return versions


def main() -> int:
    """Compare, and print what differs."""
    lines = find_disagreements(tag="".join(sys.argv[1:2]))
    print("\n".join(lines) or f"Every place names {find_release()}.")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
