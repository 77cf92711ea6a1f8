"""Delays, errors and plans of the simulated LLM server are what was asked for, and depend on the seed alone."""

import math
from random import Random

import pytest

from loadgen.llm_server import Behaviour, BehaviourError
from loadgen.llm_server.distributions import parse_delay, parse_tokens
from loadgen.llm_server.error_mix import parse_errors
from loadgen.llm_server.plan import count_errors, plan_chat, plan_embedding


@pytest.mark.parametrize(
    ("text", "median", "p99"),
    [
        ("50ms", 0.05, 0.05),
        ("0", 0.0, 0.0),
        ("constant:2s", 2.0, 2.0),
        ("500us", 0.0005, 0.0005),
        ("normal:50ms,10ms", 0.05, 0.05 + 2.3263 * 0.01),
        ("lognormal:50ms,200ms", 0.05, 0.2),
        ("exponential:50ms", 0.05 * math.log(2), 0.05 * math.log(100)),
        ("uniform:20ms-80ms", 0.05, 0.0794),
    ],
)
def test_the_quantiles_of_a_delay_are_those_of_its_distribution_and_its_draws_follow_them(
    text: str, median: float, p99: float
) -> None:
    delay = parse_delay(text)
    assert (delay.quantile(0.5), delay.quantile(0.99)) == pytest.approx((median, p99), rel=1e-4)
    random = Random(7)
    drawn = sorted(delay.draw(random) for _ in range(20_000))
    assert drawn[10_000] == pytest.approx(median, rel=0.05)
    assert drawn[19_800] == pytest.approx(p99, rel=0.05)


def test_a_normal_delay_is_never_negative() -> None:
    delay = parse_delay("normal:1ms,10ms")
    assert [delay.quantile(share) for share in (0.0, 0.01, 0.3)] == [0.0, 0.0, 0.0]
    assert delay.quantile(0.9) > 0.001


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("50", "has no duration '50'; write a number and a unit, such as 500us, 50ms or 2s"),
        ("-1ms", "has no duration '-1ms'"),
        ("50m", "has no duration '50m'"),
        ("", "has no duration ''"),
        ("nan", "has no duration 'nan'"),
        ("601s", "exceeds 600s"),
        ("gamma:1ms,2ms", "has no shape 'gamma'; choose constant, normal, lognormal, exponential, uniform"),
        ("normal:50ms", "is not of the form normal:MEAN,SD"),
        ("exponential:1ms,2ms", "is not of the form exponential:MEAN"),
        ("50ms,10ms", "is not a single value"),
        ("uniform:80ms-20ms", "needs LOW <= HIGH"),
        ("lognormal:50ms,20ms", "needs MEDIAN <= P99"),
        ("lognormal:0,20ms", "needs a median above 0"),
    ],
)
def test_a_delay_that_cannot_be_is_refused_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        parse_delay(text)


@pytest.mark.parametrize("text", ["20ms", "1e3", "100001", "uniform:a-b"])
def test_a_number_of_tokens_has_no_unit_and_a_limit(text: str) -> None:
    with pytest.raises(ValueError, match=r"has no number|exceeds 100,000"):
        parse_tokens(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("429", "has the part '429'; write ERROR:SHARE"),
        ("429:", "has the part '429:'"),
        ("404:0.1", "has the unknown error '404'; choose 429, a status from 500 to 599, or broken"),
        ("429:0.1; 429:0.2", "names 429 twice"),
        ("429:0.6; broken:0.5", "sum exceeds 1"),
        ("429:-0.1", "has the part '429:-0.1'"),
    ],
)
def test_errors_that_cannot_be_are_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_errors(text)


def test_an_error_is_picked_by_the_shares_in_their_order() -> None:
    mix = parse_errors("429:0.1; 503:0.2;broken:.3")
    assert [mix.pick(share) for share in (0.0, 0.0999, 0.1, 0.2999, 0.3001, 0.5999, 0.6001, 0.99)] == [
        "429", "429", "503", "503", "broken", "broken", "", "",
    ]  # fmt: skip
    assert parse_errors("").pick(0.0) == ""
    assert parse_errors("500:1").pick(0.9999) == "500"


def test_all_faults_of_a_behaviour_are_named_together() -> None:
    given = {"first_token": "50", "tokens": "20ms", "errors": "404:1", "seed": "-1", "when_full": "drop"}
    with pytest.raises(BehaviourError) as caught:
        Behaviour.parse(given)
    lines = str(caught.value).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["first-token", "tokens", "errors", "when-full", "seed"]
    assert lines[0] == "first-token '50' has no duration '50'; write a number and a unit, such as 500us, 50ms or 2s"
    assert lines[3] == "when-full 'drop': Input should be 'queue' or 'reject'"


def test_a_behaviour_survives_json() -> None:
    behaviour = Behaviour(first_token="normal:50ms,10ms", tokens=7, errors="429:0.5", broken_after=2, seed=9)
    assert Behaviour.parse(behaviour.model_dump(mode="json")) == behaviour
    assert Behaviour.model_validate_json(behaviour.model_dump_json()) == behaviour


def test_tokens_are_due_on_an_absolute_schedule() -> None:
    plan = plan_chat(Behaviour(first_token="50ms", inter_token="5ms", tokens=20), 3)
    assert plan.offsets == pytest.approx([0.05 + 0.005 * token for token in range(20)])
    assert (plan.error, plan.limited, plan.cut_after) == ("", False, None)


def test_a_request_may_limit_its_tokens() -> None:
    behaviour = Behaviour(tokens=20)
    assert (len(plan_chat(behaviour, 0, 5).offsets), plan_chat(behaviour, 0, 5).limited) == (5, True)
    assert (len(plan_chat(behaviour, 0, 20).offsets), plan_chat(behaviour, 0, 20).limited) == (20, False)
    assert len(plan_chat(Behaviour(tokens=0), 0).offsets) == 1


def test_a_plan_depends_on_seed_and_number_alone() -> None:
    def behaviour(seed: int) -> Behaviour:
        return Behaviour(
            first_token="exponential:50ms",
            inter_token="uniform:1ms-9ms",
            tokens="uniform:10-30",
            errors="429:0.1; broken:0.1",
            embedding_delay="exponential:5ms",
            seed=seed,
        )

    plans = [plan_chat(behaviour(1), number) for number in range(50)]
    assert [plan_chat(behaviour(1), number) for number in reversed(range(50))] == plans[::-1]
    assert [plan_chat(behaviour(2), number) for number in range(50)] != plans
    assert len({plan.offsets[0] for plan in plans}) == 50
    lengths = {len(plan.offsets) for plan in plans}
    assert lengths <= set(range(10, 31))
    assert len(lengths) > 10
    assert all(list(plan.offsets) == sorted(plan.offsets) for plan in plans)
    delays = [plan_embedding(behaviour(1), number).delay for number in range(50)]
    assert len(set(delays)) == 50
    assert delays != [plan_embedding(behaviour(2), number).delay for number in range(50)]


def test_the_errors_of_the_first_requests_are_known_beforehand() -> None:
    behaviour = Behaviour(errors="429:0.1; 500:0.2; broken:0.1", embedding_errors="503:0.5")
    plans = [plan_chat(behaviour, number) for number in range(1000)]
    counts = count_errors(behaviour, "chat", 1000)
    assert {error: sum(plan.error == error for plan in plans) for error in ("", "429", "500", "broken")} == counts
    assert counts["429"] == pytest.approx(100, abs=30)
    assert counts["500"] == pytest.approx(200, abs=40)
    assert (
        sum(plan_embedding(behaviour, number).error == "503" for number in range(100))
        == (count_errors(behaviour, "embedding", 100)["503"])
    )


@pytest.mark.parametrize(("after", "tokens", "cut"), [(None, 20, 10), (3, 20, 3), (0, 20, 0), (50, 20, 19), (5, 1, 0)])
def test_a_broken_answer_is_cut_before_its_last_token(after: int | None, tokens: int, cut: int) -> None:
    plan = plan_chat(Behaviour(tokens=tokens, errors="broken:1", broken_after=after), 0)
    assert (plan.error, plan.cut_after, len(plan.offsets)) == ("broken", cut, tokens)
