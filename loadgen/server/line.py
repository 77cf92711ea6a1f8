"""What a run and its guardian agree on. They speak over the line, a pipe from the run to the guardian."""

GRACE = 4.0
"""Seconds from SIGTERM to SIGKILL, once the line has ended."""
KEEP = b"k"
"""Written by a run that wants to keep a temporary folder, as its log tells why there is no server."""
