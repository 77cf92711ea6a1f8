"""How far the figures can be trusted on this machine: known delays against what the tool reports of them."""

SECONDS = 2.0
"""Default length of a phase."""
