"""How far the figures can be trusted on this machine: known delays against reported ones."""

SECONDS = 2.0
"""Default length of a phase."""
