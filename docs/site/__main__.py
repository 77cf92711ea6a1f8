"""`python -m docs.site [FOLDER]` writes the site to a folder, by default build/site."""

import sys
from pathlib import Path

from docs.site.building import build
from docs.site.pages import ROOT

if __name__ == "__main__":
    site = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "site"
    if not build(ROOT, site):
        sys.exit(1)
    sys.stdout.write(f"The documentation: {site / 'index.html'}\n")
