"""Texts of exact sizes, made of words."""

import numpy as np

TEXT = (
    "answer archive balance battery bridge budget cabinet camera carbon channel chapter circuit climate column "
    "contract coral council current delivery design device dialect distance district draft drought edition element "
    "energy engine estimate evidence factory feature fiber field figure filter forest formula garden glacier "
    "grammar harbour harvest history horizon index island journal kernel label language ledger letter library "
    "licence margin market measure memory method mineral module museum network notice number object option orbit "
    "order paper parcel pattern permit planet platform policy portrait process profile project protocol quality "
    "quarter question record region relay report reservoir result review river sample schedule season section "
    "sensor series service signal source station storage summary surface survey system table theory ticket traffic "
    "treaty tunnel update valley vector vessel village volume weather window"
)
WORDS = tuple(TEXT.split())
"""ASCII alone, so that a character is a byte."""
POOL_WORDS = 20_000
STREAM = 7
STEP = 7_919
"""A prime: consecutive rows do not begin at neighbouring words."""


class Texts:
    """The text of each row number: short (`n7_text`) for size 0, otherwise exactly `size` bytes of UTF-8.

    A text begins with the number of its row and goes on with words; a call costs a slice of a text made once.
    """

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        if not size:
            return
        words = np.random.default_rng([seed, STREAM]).integers(0, len(WORDS), size=POOL_WORDS)
        chosen = [WORDS[number] for number in words.tolist()]
        self._begins = np.cumsum([0, *(len(word) + 1 for word in chosen[:-1])]).tolist()
        line = " ".join(chosen) + " "
        self._pool = line * (2 + size // len(line))

    def __call__(self, number: int) -> str:
        """The text of a row."""
        if not self._size:
            return f"n{number}_text"
        begin = self._begins[number * STEP % POOL_WORDS]
        return f"n{number} {self._pool[begin : begin + self._size]}"[: self._size]
