"""Calls of the C library that never block, made without releasing the interpreter lock.

Python's own calls release it, and then wait until the event loop's thread gives it back: up to 5 ms for each call.
"""

import ctypes
import os

LIBC = ctypes.PyDLL(None, use_errno=True)
LONGEST = 512


def read_proc(path: str) -> bytes:
    """The first 512 bytes of a small file of the kernel's, such as /proc/self/statm. Raises OSError."""
    file = LIBC.open(os.fsencode(path), os.O_RDONLY | os.O_CLOEXEC)
    if file < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    try:
        buffer = ctypes.create_string_buffer(LONGEST)
        length = LIBC.read(file, buffer, LONGEST)
        if length < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
        return buffer.raw[:length]
    finally:
        LIBC.close(file)
