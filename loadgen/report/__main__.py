"""`python -m loadgen.report`: the command `loadgen report`, for a run that has its own report drawn."""

import argparse
import sys

from loadgen.report.command import add_flags

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="loadgen report")
    add_flags(parser)
    given = parser.parse_args()
    sys.exit(given.command(given))
