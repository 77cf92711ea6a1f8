"""What unit tests share beside the modules that support them."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def unplaced() -> Iterator[None]:
    """Charts whose parts stay where they are put first: to make room for all of them is half of the drawing.

    For tests of what a page says and how often it draws. `test_report.py` draws the charts as a user gets them.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("matplotlib.layout_engine.do_constrained_layout", lambda *_args, **_given: None)
        yield
