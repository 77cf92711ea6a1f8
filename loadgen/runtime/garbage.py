"""Python's search for cyclic garbage, kept short while something is measured."""

import gc


def set_aside() -> None:
    """Have later searches pass over everything that is there now; to be called before a load.

    A full search looks at every object with the interpreter lock held. With LlamaIndex loaded these are some 200,000,
    and it takes hundreds of milliseconds in which no answer is read: a stall of the load generator that would look like
    one of the server. What was set aside before and is garbage by now is found first.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
