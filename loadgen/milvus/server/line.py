"""What a run and its guardian agree on. They speak over the line, a pipe from the run to the guardian."""

GRACE = 4.0
"""Seconds from SIGTERM to SIGKILL, once the line has ended."""
KEEP, END = b"k", b"e"
"""Written by a run that ends its server, and, before, if a temporary folder shall stay as its log tells a failure.

The end of the line means the same as END; but with gevent's `os.close` a line may end late."""
