"""Durations on the command line."""

import argparse

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
