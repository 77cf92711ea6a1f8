"""Lists of words and numbers for a sentence; long ones are shortened, with the number omitted."""

from collections.abc import Sequence

NAMED = 12
"""Maximum names in one sentence."""


def count_of(number: int, noun: str) -> str:
    """Such as `1 user` or `1,000 users`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def join(words: Sequence[str]) -> str:
    """Such as `1, 8 and 32`."""
    *most, last = words or ("nothing",)
    return f"{', '.join(most)} and {last}" if most else last


def join_some(words: Sequence[str]) -> str:
    """The same, shortened if there are many: `1, 2, 3 and 1,997 more`."""
    return join(words if len(words) <= NAMED else [*words[: NAMED - 1], f"{len(words) - NAMED + 1:,} more"])


def name_phases(numbers: Sequence[int]) -> str:
    """Such as `phase 3`, `phases 1 and 3` or `phases 1 to 4 and 7`, from numbers in ascending order."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], number]
        else:
            spans.append([number, number])
    named: list[str] = []
    for first, last in spans:
        named += [f"{first} to {last}"] if last > first + 1 else [str(number) for number in range(first, last + 1)]
    return f"phase{'' if len(numbers) == 1 else 's'} {join_some(named)}"
