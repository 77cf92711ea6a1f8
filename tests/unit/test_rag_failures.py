"""What is said of a model that cannot be asked: no key in it, and a remedy that fits."""

import httpx
import openai
import pytest

from loadgen.clients.rag.models import ModelSpec, check_llm
from loadgen.clients.rag.probing import LONGEST, explain_failure
from loadgen.text.masking import keep_secret

KEY = "sk-proj-" + "Ab3" * 50
REQUEST = httpx.Request("POST", "http://127.0.0.1:1/v1")


@pytest.mark.parametrize("before", range(0, LONGEST + 20, 20))
def test_a_key_at_the_end_of_a_shortened_error_is_masked(before: int) -> None:
    keep_secret(KEY)
    error = openai.BadRequestError(
        f"{'x' * before}{KEY} is refused", response=httpx.Response(400, request=REQUEST), body=None
    )
    said = explain_failure(ModelSpec("openai:m", "http://127.0.0.1:1/v1", "another"), error)
    assert "Ab3Ab3" not in said


def test_the_model_of_a_run_is_on_the_masters_machine_alone() -> None:
    error = openai.APIConnectionError(request=REQUEST)
    own = explain_failure(ModelSpec("simulated", "http://127.0.0.1:8000/v1"), error)
    assert own.endswith("on other machines start loadgen serve-llm --bind 0.0.0.0, and give --simulated-url.")
    other = explain_failure(ModelSpec("simulated", "http://models:8000/v1"), error)
    assert other.endswith("Start it, or correct the URL.")


def test_a_model_that_is_too_slow_is_explained_with_the_setting_of_the_limit() -> None:
    said = explain_failure(ModelSpec("openai:m", "http://a/v1", timeout=2), openai.APITimeoutError(request=REQUEST))
    assert said == (
        "openai:m at http://a/v1 did not answer within 2 s. Allow it more time (--deadline), or look at its log."
    )


def test_a_key_in_a_url_is_not_shown() -> None:
    (reported,) = check_llm(ModelSpec("openai:m", "http://models:8000/v1?api-key=hidden123", "another"))
    assert "is no http:// or https:// address of an API" in reported
    assert "hidden123" not in reported
