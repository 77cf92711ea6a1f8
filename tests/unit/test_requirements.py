"""Requirements: read from text, judged on a record."""

import pytest

from loadgen.measure.sample import Mode, Outcome
from loadgen.results.requirements import judge, parse_max_failures, parse_requirement, parse_requirements
from loadgen.settings.faults import SettingsError
from tests.unit.record_support import comparison, durations, operation, phase, record


@pytest.mark.parametrize(
    ("text", "operation", "mode", "figure", "comparator", "limit"),
    [
        ("search async p99 < 50 ms", "search", Mode.ASYNC, "p99", "<", 0.05),
        ("search sync mean<=1.5s", "search", Mode.SYNC, "mean", "<=", 1.5),
        ("search p99.9 < 700 us", "search", None, "p99.9", "<", 0.0007),
        ("search any p99_9 < 700 µs", "search", None, "p99.9", "<", 0.0007),
        ("delete any MAX > .5 ms", "delete", None, "max", ">", 0.0005),
        ("search async throughput >= 200 /s", "search", Mode.ASYNC, "throughput", ">=", 200.0),
        ("search throughput >= 200", "search", None, "throughput", ">=", 200.0),
        ("insert failures < 0.3%", "insert", None, "failures", "<", 0.003),
        ("insert failures <= 10", "insert", None, "failures", "<=", 10.0),
        ("search recall >= 0.95", "search", None, "recall", ">=", 0.95),
        ("search recall >= 95 %", "search", None, "recall", ">=", 0.95),
        ("retrieve async MRR > 0.8", "retrieve", Mode.ASYNC, "mrr", ">", 0.8),
        ("search ratio > 1.2", "search", None, "ratio", ">", 1.2),
        ("my-step p50 < 1 s", "my-step", None, "p50", "<", 1.0),
    ],
)
def test_a_requirement_is_read(  # noqa: PLR0913, PLR0917 - the columns of a table
    text: str, operation: str, mode: Mode | None, figure: str, comparator: str, limit: float
) -> None:
    requirement = parse_requirement(f" {text} ")
    assert (requirement.operation, requirement.variant, requirement.figure, requirement.comparator) == (
        operation,
        mode,
        figure,
        comparator,
    )
    assert requirement.limit == limit
    assert (requirement.text, requirement.concurrency, requirement.rate) == (text, None, None)


def test_a_requirement_may_name_any_variant_of_the_run_in_quotes_where_it_has_spaces() -> None:
    names = ("sync", "async connections=4", "HNSW")
    for text in ("search 'async connections=4' p99 < 5 ms", 'search "async connections=4" ratio > 1.1'):
        assert parse_requirement(text, names).variant == "async connections=4"
    assert parse_requirement("search hnsw recall > 0.9", names).variant == "HNSW"
    assert parse_requirement("search any p99 < 5 ms", names).variant is None


def test_a_time_may_be_of_the_service_or_of_a_stage() -> None:
    assert parse_requirement("search service p99 < 5 ms").part == "service"
    requirement = parse_requirement("ask async first_token p99 < 800 ms")
    assert (requirement.variant, requirement.part, requirement.limit) == ("async", "first_token", 0.8)
    assert parse_requirement("ask first_token p50 < 1 s").part == "first_token"


def test_a_level_comes_before_the_figure_or_last() -> None:
    first, last = parse_requirement("search async at 32 p99 < 5 ms"), parse_requirement("search async p99 < 5 ms at 32")
    assert (first.variant, first.concurrency, first.limit) == (last.variant, last.concurrency, last.limit)
    assert parse_requirement("search at 200/s p99 < 5 ms").rate == 200.0


def test_a_requirement_may_name_a_concurrency_or_a_rate() -> None:
    assert parse_requirement("search p99 < 50ms at 32").concurrency == 32
    at_rate = parse_requirement("search p99 < 50 ms at 12.5/s")
    assert (at_rate.concurrency, at_rate.rate) == (None, 12.5)


@pytest.mark.parametrize(
    ("text", "problem", "example"),
    [
        ("", "has no comparison", "search async p99 < 50 ms"),
        ("search p99", "has no comparison", "search async p99 < 50 ms"),
        ("search p99 = 50 ms", "has no comparison", "search async p99 < 50 ms"),
        ("search p99 <== 50 ms", "has no comparison", "search async p99 < 50 ms"),
        ("p99 < 50 ms", "does not start with an operation", "search async p99 < 50 ms"),
        (
            "search big async p99 < 50 ms",
            "names an unknown variant: 'big' is none of sync, async, any",
            "search async p99 < 50 ms",
        ),
        ("search p98 < 50 ms", "'p98' is none of mean, p50, p90, p95, p99, p99.9, max, throughput", "async p99"),
        ("search fast recall > 0.5", "'fast' is none of sync, async, any", "search recall >= 0.95"),
        ("search asynk p99 < 50 ms", "'asynk' is none of sync, async, any", "search async p99 < 50 ms"),
        ("search service recall > 0.5", "'service' is none of sync, async, any", "search recall >= 0.95"),
        ("search async service ratio > 1", "asks for 'service' of ratio, which has no parts", "ratio > 1.2"),
        ("search at 8 p99 < 5 ms at 8", "has 'at' twice", "search async p99 < 50 ms"),
        ("search p99 at < 5 ms", "has no users or rate after 'at'", "search async p99 < 50 ms"),
        ("search 'async p99 < 5 ms", "has an unterminated quote", "search async p99 < 50 ms"),
        ("search p99 < 50", "has no unit for p99: use us, ms, s", "search async p99 < 50 ms"),
        ("search p99 < 50 min", "'min' is no unit for p99: use us, ms, s", "search async p99 < 50 ms"),
        ("search p99 < 50 %", "'%' is no unit for p99", "search async p99 < 50 ms"),
        ("search throughput > 5 ms", "'ms' is no unit for throughput: use /s, none", "throughput >= 200 /s"),
        ("search ratio > 20 %", "'%' is no unit for ratio: use none", "search at 32 ratio > 1.2"),
        ("search p99 < -5 ms", "has no valid limit (0 or more, with its unit): '-5 ms'", "search async p99 < 50 ms"),
        ("search p99 < fast", "has no valid limit (0 or more, with its unit): 'fast'", "search async p99 < 50 ms"),
        ("search p99 < nan ms", "has no valid limit (0 or more", "search async p99 < 50 ms"),
        (
            "insert failures < 0.01",
            "needs a whole number of failures, not '0.01'; a share needs a %",
            "insert failures < 1 %",
        ),
        ("search recall > 95", "has a recall above 1", "search recall >= 0.95"),
        ("retrieve mrr > 1.5", "has an mrr above 1", "retrieve mrr > 0.8"),
        ("retrieve mrr > 80 %", "'%' is no unit for mrr: use none", "retrieve mrr > 0.8"),
        ("search p99 < 5 ms at", "has no users or rate after 'at': ''", "search async p99 < 50 ms"),
        ("search p99 < 5 ms at many", "has no users or rate after 'at': 'many'", "search async p99 < 50 ms"),
        ("search p99 < 5 ms at 0", "has no users or rate after 'at': '0'", "search async p99 < 50 ms"),
        ("search p99 < 5 ms at 1.5", "has no users or rate after 'at': '1.5'", "search async p99 < 50 ms"),
        ("search p99 < 5 ms at 0/s", "has no users or rate after 'at': '0/s'", "search async p99 < 50 ms"),
    ],
)
def test_a_requirement_that_cannot_be_read_is_told_with_an_example(text: str, problem: str, example: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_requirement(text)
    [fault] = caught.value.faults
    assert str(fault).startswith(f'--require "{text}": ')
    assert problem in fault.problem
    assert example in fault.hint
    quoted = fault.hint.split('"')[1]
    assert parse_requirement(quoted).text == quoted


def test_all_requirements_that_cannot_be_read_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        parse_requirements(["search p99 < 5", "search p99 < 5 ms", "nonsense"])
    assert [fault.value for fault in caught.value.faults] == ['"search p99 < 5"', '"nonsense"']
    assert [each.limit for each in parse_requirements(["search p99 < 5 ms", "search p50 < 1 s"])] == [0.005, 1.0]


def test_a_mean_reciprocal_rank_is_required_of_every_phase_and_is_missed_where_none_was_measured() -> None:
    ranks = ((0.9, True, "0.9"), (0.75, False, "0.75"), (None, False, "nothing measured"))
    for mrr, met, measured in ranks:
        best, other = (operation("retrieve", mrr=one) for one in (1.0, mrr))
        (result,) = judge(
            record(phase("sync", 8, best), phase("async", 8, other)), [parse_requirement("retrieve mrr > 0.8")]
        )
        assert (result.met, result.measured, result.where) == (met, measured, "async, 8 users")


UNSHOWN = ", not significant: the interval crosses the limit"
BOTH = record(
    phase("sync", 8, operation(response=durations(p99=0.040), throughput=150.0, recall=0.97)),
    phase("async", 8, operation(response=durations(p99=0.050), throughput=250.0, recall=0.96)),
    phase("async", 32, operation(response=durations(p99=0.080), throughput=400.0, recall=0.98)),
    phase("sync", 32, operation(response=durations(p99=0.090), throughput=140.0, recall=0.99)),
    comparisons=(comparison(8, 1.3), comparison(32, 1.25)),
)


@pytest.mark.parametrize(
    ("text", "met", "measured", "where"),
    [
        ("search async p99 < 50 ms at 8", False, "50 ms", "async, 8 users"),
        ("search async p99 <= 50 ms at 8", True, "50 ms", "async, 8 users"),
        ("search async p99 > 50 ms at 8", False, "50 ms", "async, 8 users"),
        ("search async p99 >= 50 ms at 8", True, "50 ms", "async, 8 users"),
        ("search async p99 < 50001 us at 8", True, "50000 us", "async, 8 users"),
        ("search async p99 <= 0.08 s", True, "0.08 s", "async, 32 users"),
        ("search async p99 <= 79.999 ms", False, "80 ms", "async, 32 users"),
        ("search async p99 >= 60 ms", False, "50 ms", "async, 8 users"),
        ("search p99 < 85 ms", False, "90 ms", "sync, 32 users"),
        ("search any p99 < 51 ms at 8", True, "50 ms", "async, 8 users"),
        ("search sync mean < 10 ms", False, "10 ms", "sync, 8 users"),
        ("search throughput >= 140 /s", True, "140/s", "sync, 32 users"),
        ("search throughput > 140 /s", False, "140/s", "sync, 32 users"),
        ("search async throughput > 249 /s", True, "250/s", "async, 8 users"),
        ("search recall >= 0.96", True, "0.96", "async, 8 users"),
        ("search recall > 96 %", False, "96 %", "async, 8 users"),
        ("search ratio >= 1.2 at 32", True, "1.25 [1.2 to 1.4]", "32 users"),
        ("search at 32 ratio > 1.2", False, f"1.25 [1.2 to 1.4]{UNSHOWN}", "32 users"),
        ("search ratio > 1.25 at 8", False, f"1.3 [1.2 to 1.4]{UNSHOWN}", "8 users"),
        ("search ratio < 1.35 at 8", False, f"1.3 [1.2 to 1.4]{UNSHOWN}", "8 users"),
        ("search ratio < 1.41 at 8", True, "1.3 [1.2 to 1.4]", "8 users"),
        ("search ratio > 1.5 at 8", False, "1.3 [1.2 to 1.4]", "8 users"),
        ("search ratio > 1.1", True, "1.3 [1.2 to 1.4]", "8 users"),
    ],
)
def test_the_worst_phase_decides_and_is_told(text: str, met: bool, measured: str, where: str) -> None:
    [result] = judge(BOTH, [parse_requirement(text)])
    assert result == (text, met, measured, where)
    assert str(result) == f"{'met' if met else 'MISSED'}: {text}: {measured} ({where})"


@pytest.mark.parametrize(
    ("text", "measured", "where"),
    [
        ("insert p99 < 1 s", "nothing measured", "sync, 8 users"),
        ("insert failures <= 5", "nothing measured", "sync, 8 users"),
        ("insert ratio > 0", "not compared", "8 users"),
        ("search p99 < 1 s at 64", "nothing measured", "no search of any variant at 64 users"),
        ("search async p99 < 1 s at 200/s", "nothing measured", "no search of async at 200/s"),
        ("search ratio > 0 at 64", "nothing measured", "no search of any variant at 64 users"),
    ],
)
def test_a_requirement_with_nothing_to_be_judged_on_is_missed(text: str, measured: str, where: str) -> None:
    [result] = judge(BOTH, [parse_requirement(text)])
    assert result == (text, False, measured, where)


def test_a_run_without_phases_meets_nothing() -> None:
    texts = ["search p99 < 1 s", "search failures < 1 %", "search ratio > 0"]
    result = judge(record(), parse_requirements(texts), parse_max_failures("100%"))
    assert [judgement.met for judgement in result] == [False] * 4
    assert result[0].where == "no search of any variant at any load"
    assert result[3] == ("at most 100% failures", False, "nothing measured", "the whole run")


NO_TIMES: dict[str, float | None] = dict.fromkeys(("mean", "p50", "p90", "p95", "p99", "p99_9", "max"))


@pytest.mark.parametrize(
    "text", ["search async p99 < 1 s", "search async p99 > 0 s", "search async throughput > 0", "search recall > 0"]
)
def test_a_level_at_which_nothing_was_answered_is_missed_whatever_the_others_say(text: str) -> None:
    hung = operation(outcomes={Outcome.TIMEOUT: 9}, response=durations(**NO_TIMES), throughput=None, recall=None)
    [result] = judge(record(phase("async", 8), phase("async", 32, hung)), [parse_requirement(text)])
    assert (result.met, result.measured, result.where) == (False, "nothing measured", "async, 32 users")


def test_a_phase_of_other_operations_at_the_same_level_is_no_gap() -> None:
    mixed = record(phase("async", 8, operation("insert")), phase("async", 8, operation("search")))
    [result] = judge(mixed, [parse_requirement("search p99 < 1 s")])
    assert (result.met, result.where) == (True, "async, 8 users")


@pytest.mark.parametrize("text", ["search p99 < 1 s", "search failures < 1 %", "search failures <= 5"])
def test_a_round_in_which_no_operation_ended_meets_nothing_whatever_the_other_rounds_say(text: str) -> None:
    """A server that hangs: what was sent to it ends after the phase, if at all."""
    hung = record(phase("async", 8), phase("async", 8).model_copy(update={"operations": ()}))
    result = judge(hung, [parse_requirement(text)], parse_max_failures("1%"))
    assert [one[1:] for one in result] == [(False, "nothing measured", "async, 8 users")] * 2


def test_a_round_in_which_only_other_operations_ended_has_a_rate_of_0() -> None:
    searched, silent = (phase("async", 8, operation("insert"), *some) for some in ((operation("search"),), ()))
    for figure, met in (("throughput > 1 /s", False), ("throughput < 9000 /s", True), ("p99 < 1 s", True)):
        [result] = judge(record(searched, silent, searched), [parse_requirement(f"search {figure}")])
        assert result.met is met
    [result] = judge(record(searched, silent), [parse_requirement("search throughput > 1 /s")])
    assert result[2:] == ("0/s", "async, 8 users")
    bursts = (phase("async", 8, operation(name), style="async") for name in ("insert", "search"))
    assert judge(record(*bursts), [parse_requirement("search throughput > 1 /s")])[0].met


def test_each_round_is_judged_by_itself() -> None:
    rounds = record(*(phase("async", 8, operation(response=durations(p99=p99))) for p99 in (0.02, 0.06, 0.03)))
    assert judge(rounds, [parse_requirement("search p99 < 50 ms")])[0][1:3] == (False, "60 ms")
    assert judge(rounds, [parse_requirement("search p99 < 61 ms")])[0][1:3] == (True, "60 ms")


def test_times_are_response_times() -> None:
    waited = operation(response=durations(mean=0.8))
    assert waited.service_seconds.mean == 0.009
    [result] = judge(record(phase("async", 8, waited)), [parse_requirement("search mean < 10 ms")])
    assert (result.met, result.measured) == (False, "800 ms")


def test_an_invalid_comparison_meets_no_ratio_and_says_why() -> None:
    reasons = ("the load generator used 98 % of its core: add workers", "recall differs")
    invalid = comparison(32, 2.0, verdict="invalid", reasons=reasons)
    compared = record(phase("sync"), phase("async"), phase("async", 32), comparisons=(comparison(8, 1.3), invalid))
    everywhere, at_8 = judge(compared, parse_requirements(["search ratio > 1.1", "search ratio > 1.1 at 8"]))
    assert everywhere[1:] == (False, f"invalid: {reasons[0]}; {reasons[1]}", "32 users")
    assert at_8.met is True


def test_a_level_that_was_not_compared_misses_the_ratio() -> None:
    compared = record(phase("sync", 8), phase("async", 8), phase("sync", 1), comparisons=(comparison(8, 1.3),))
    [result] = judge(compared, [parse_requirement("search ratio > 1.1")])
    assert result[1:] == (False, "not compared", "1 user")


def test_trouble_in_the_deciding_phase_is_told_beside_its_value() -> None:
    troubled = record(phase("async", 8, saturated=True, workers_lost=2))
    [result] = judge(troubled, [parse_requirement("search p99 < 5 ms")])
    assert result.where == "async, 8 users, lost 2 workers, generator saturated"
    blind = record(phase("async", 8, generator={"watched_share": 0.3}))
    [result] = judge(blind, [parse_requirement("search async p99 < 50 ms")])
    assert result.where == "async, 8 users, generator not monitored"
