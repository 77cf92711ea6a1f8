"""What CHANGELOG.md says about its newest release: `python -m release.notes`."""

import sys

from release.agreement import read_notes

if __name__ == "__main__":
    sys.stdout.write(read_notes())
