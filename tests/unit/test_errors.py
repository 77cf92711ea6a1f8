"""Exceptions in words."""

import pytest

from loadgen.measure.errors import describe_error


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
