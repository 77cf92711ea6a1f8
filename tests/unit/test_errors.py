"""Exceptions in words."""

import pytest

from loadgen.measure.errors import KINDS, OTHER, ErrorKind, TaskErrors, describe_error


class SpeechlessError(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("no route to milvus"), "no route to milvus"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (ValueError(" x \n"), "x"),
        (RuntimeError(), "RuntimeError"),
        (KeyError("x"), "KeyError: 'x'"),
        (TimeoutError("30 s"), "30 s"),
        (TypeError("int is not callable"), "TypeError: int is not callable"),
        (ZeroDivisionError(), "ZeroDivisionError"),
        (SystemExit("a library gives up"), "SystemExit: a library gives up"),
        (SpeechlessError(), "SpeechlessError"),
    ],
)
def test_an_exception_is_said_in_its_words_or_with_its_type(error: BaseException, words: str) -> None:
    assert describe_error(error) == words


def test_the_first_32_kinds_are_counted_apart_and_all_others_together() -> None:
    assert KINDS == 32
    kinds = [ErrorKind("ValueError", f"search.py:{line}") for line in range(34)]
    errors = TaskErrors()
    for kind in (*kinds, kinds[0], kinds[33]):
        errors.add("sync", kind)
    expected = [("sync", kinds[0], 2), *(("sync", kind, 1) for kind in kinds[1:32]), ("sync", OTHER, 3)]
    assert list(errors) == expected
    assert errors.total == 36
