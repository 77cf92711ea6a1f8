"""Lengths of time that a person types."""

import argparse

LONGEST = 31_536_000.0
"""A year: who waits longer has mistyped."""


def seconds(text: str) -> float:
    """Read a number of seconds, for argparse. Raises ArgumentTypeError."""
    try:
        given = float(text)
    except ValueError:
        given = -1.0
    if not 0 <= given <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is no length; give seconds from 0 to {LONGEST:,.0f}")
    return given
