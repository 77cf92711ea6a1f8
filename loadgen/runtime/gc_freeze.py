"""Keeps Python's cyclic garbage collection short during measurements."""

import gc


def set_aside() -> None:
    """Exclude all existing objects from later collections; call it before a load.

    A full collection visits every object while holding the interpreter lock. With LlamaIndex loaded there are some
    200,000, which takes hundreds of milliseconds during which no answer is read: a stall of the load generator that
    would look like one of the server. Objects that were set aside earlier and are garbage by now are collected first.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
