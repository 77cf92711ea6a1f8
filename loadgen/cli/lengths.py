"""Durations and ports on the command line."""

import argparse

from loadgen.settings.addresses import HIGHEST_PORT, PORT

LONGEST = 31_536_000.0
"""A year: anything longer is a typing error."""


def seconds(text: str) -> float:
    """Read a number of seconds, for argparse. Raises ArgumentTypeError."""
    try:
        given = float(text)
    except ValueError:
        given = -1.0
    if not 0 <= given <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration; give seconds from 0 to {LONGEST:,.0f}")
    return given


def port_number(text: str) -> int:
    """Read a TCP port that is not 0, for argparse. Raises ArgumentTypeError."""
    if not (PORT.fullmatch(text) and 0 < int(text) <= HIGHEST_PORT):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; give a number from 1 to {HIGHEST_PORT:,}")
    return int(text)
