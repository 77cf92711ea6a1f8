"""The protocol between a run and its guardian. They communicate over the line, a pipe from the run to the guardian."""

GRACE = 4.0
"""Seconds from SIGTERM to SIGKILL, once the line has ended."""
KEEP, END = b"k", b"e"
"""END is written by a run that ends its server, preceded by KEEP if a temporary folder must stay because of its log.

The end of the line means the same as END; but with gevent's `os.close` a line may end late."""
PAUSE, RESUME, KILL, START = b"p", b"r", b"x", b"s"
"""SIGSTOP, SIGCONT and SIGKILL to the server and its children, and another start of the same command.

The guardian answers each with DONE once the signal is sent or the command has started, else with FAILED."""
DONE, FAILED = b"d", b"f"
