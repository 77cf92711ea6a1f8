"""Builds the site, strictly: whatever Sphinx warns of is an error."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from docs.site.llms import write_llms
from docs.site.pages import INDEX
from docs.site.source import copy_sources

CONFIGURATION = Path(__file__).parent
FRONT = f"""<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>milvus-loadgen</title>
<meta http-equiv="refresh" content="0; url={INDEX.with_suffix(".html")}">
<a href="{INDEX.with_suffix(".html")}">milvus-loadgen</a>
"""
"""`index.html`: the front page keeps the path that it has in the repository."""


def build(root: Path, site: Path) -> bool:
    """Replace a folder by the site. Returns False, with Sphinx's reasons on stderr, if a page is at fault."""
    with tempfile.TemporaryDirectory() as folder:
        source, built = Path(folder, "source"), Path(folder, "site")
        copy_sources(root, source)
        options = ("-q", "--fail-on-warning", "--keep-going", "--doctree-dir", str(Path(folder, "trees")))
        command = [sys.executable, "-m", "sphinx", *options, "--conf-dir", str(CONFIGURATION), str(source), str(built)]
        if subprocess.run(command, check=False).returncode:  # noqa: S603 - our own paths alone
            return False
        (built / "index.html").write_text(FRONT, encoding="utf-8")
        write_llms(root, source, built)
        (built / ".buildinfo").unlink(missing_ok=True)
        shutil.rmtree(site, ignore_errors=True)
        site.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(built, site)
    return True
