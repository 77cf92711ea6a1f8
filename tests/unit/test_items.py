"""Items, such as tokens, are counted by name from the call to the report."""

import json
from typing import Any

import msgpack
import pytest

from loadgen.control.merged_ledger import MergedLedger
from loadgen.exporters import Exporter, Role, VariantLabels, new_registry
from loadgen.exporters.counting import ITEMS
from loadgen.measure.histograms import new_histogram
from loadgen.measure.ledger import Ledger
from loadgen.measure.operation import ITEMS_AT_MOST, Operation, OperationNameError
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.reports.data_formats import to_json
from loadgen.reports.html import to_html
from loadgen.reports.items import item_table
from loadgen.reports.summary import summarize
from loadgen.results.figures import time_per_output_token
from loadgen.results.record import Durations, OperationRecord
from loadgen.results.requirements import ITEMS as ITEMS_FIGURE
from loadgen.results.requirements import judge, parse_requirement
from loadgen.settings.faults import SettingsError
from tests.unit.record_support import durations, phase, record, timed
from tests.unit.result_support import results_of
from tests.unit.test_empty_answers import recorded
from tests.unit.test_measure import MODES, Measured

PHASE = Phase(0, Mode.ASYNC, 8, seconds=10)


def sample(items: dict[str, int], at: float = 9.0, **given: Any) -> Sample:
    values: dict[str, Any] = {"variant": "async", "operation": "ask", "outcome": Outcome.OK, "rows": 1} | given
    return Sample(scheduled=at, started=at, finished=at + 0.1, items=items, **values)


def counted(*samples: Sample) -> Ledger:
    ledger = Ledger()
    ledger.open(PHASE, 5.0, 15.0)
    ledger(samples)
    return ledger


def test_an_operation_whose_items_cannot_be_counted_is_counted_without_them() -> None:
    def count() -> dict[str, int]:
        raise LookupError("no tokenizer")

    on = Measured(Mode.SYNC)
    token = on.client.begin("search")
    with pytest.raises(LookupError, match="no tokenizer"):
        on.client.end(token, 3, count_items=count)
    [counted] = on.samples
    assert (counted.outcome, counted.rows, counted.items, on.client.in_flight) == (Outcome.OK, 3, {}, 0)


def test_they_are_summed_up_over_operations_and_workers_and_recorded() -> None:
    master = MergedLedger()
    for name in ("one", "two"):
        worker = counted(sample({"tokens_in": 100, "tokens_out": 7}), sample({"tokens_out": 3}), sample({}))
        master.merge(msgpack.unpackb(msgpack.packb(worker.take_report(16.0))), name)
    assert worker.windows[0].operation_stats["async", "ask"].items == {"tokens_in": 100, "tokens_out": 10}
    [result] = results_of(master)
    assert result.record.operations[0].items == {"tokens_in": 200, "tokens_out": 20}
    assert json.loads(recorded(worker).model_dump_json())["phases"][0]["operations"][0]["items"] == {
        "tokens_in": 100,
        "tokens_out": 10,
    }
    assert recorded(counted(sample({}))).phases[0].operations[0].items == {}


@MODES
def test_a_measured_call_reports_them_and_numbers_of_one_name_are_added(mode: Mode) -> None:
    def ask(call: Any, _client: Any) -> None:
        call.count("tokens_out", 5)
        call.count("tokens_out", 7)
        call.count("pages", 0)

    on = Measured(mode)
    on.run(ask)
    assert on.samples[0].items == {"tokens_out": 12, "pages": 0}


@MODES
def test_those_of_a_failed_call_do_not_count(mode: Mode) -> None:
    def fail(call: Any, _client: Any) -> None:
        call.count("tokens_out", 5)
        call.fail("no answer")

    def raise_it(call: Any, _client: Any) -> None:
        call.count("tokens_out", 5)
        raise ValueError

    on = Measured(mode)
    on.run(fail)
    on.run(raise_it)
    assert [one.items for one in on.samples] == [{}, {}]


def test_they_are_whole_numbers_and_their_names_are_bounded() -> None:
    def report(call: Any, _client: Any) -> None:
        for number in (-1, 10**12 + 1):
            with pytest.raises(ValueError, match="give a whole number from 0 to 1,000,000,000,000"):
                call.count("tokens", number)
        with pytest.raises(TypeError):
            call.count("tokens", 1.5)
        with pytest.raises(OperationNameError, match="'Tokens' is not a name of an item"):
            call.count("Tokens", 1)
        for number in range(ITEMS_AT_MOST):
            call.count(f"part_{number}", 1)
        with pytest.raises(OperationNameError, match="name 33 of a run that may have 32"):
            call.count("one_more", 1)

    on = Measured(Mode.SYNC)
    on.run(report)
    assert len(on.samples[0].items) == ITEMS_AT_MOST


def test_declared_names_are_checked() -> None:
    assert Operation("ask", items=("tokens_out",)).items == ("tokens_out",)
    with pytest.raises(OperationNameError, match="the items of 'ask' are 'tokens', not a tuple of names"):
        Operation("ask", items="tokens")  # type: ignore[arg-type]
    with pytest.raises(OperationNameError, match="'Tokens' is not a name of an item"):
        Operation("ask", items=("Tokens",))


def test_metrics_count_them_from_0_without_nested_ones_and_without_bound() -> None:
    exporter = Exporter(Role.LOCAL, lambda: 1)
    registry = new_registry(exporter)

    def value(item: str, operation: str = "ask") -> float | None:
        labels = {"variant": "async", "mode": "async", "client": "rag", "operation": operation, "item": item}
        return registry.get_sample_value("loadgen_items_total", labels)

    asked = Operation("ask", items=("tokens_in", "tokens_out"))
    exporter.expect({"async": VariantLabels(Mode.ASYNC, "rag")}, {Mode.ASYNC: {asked}})
    assert (value("tokens_in"), value("tokens_out"), value("pages")) == (0, 0, None)
    exporter([sample({"tokens_out": 4}), sample({"tokens_out": 5, "pages": 1}), sample({"tokens_out": 9}, nested=True)])
    assert (value("tokens_in"), value("tokens_out"), value("pages")) == (0, 9, 1)
    exporter([sample({f"item_{number}": 1 for number in range(ITEMS)})])
    assert (value(f"item_{ITEMS - 5}"), value(f"item_{ITEMS - 4}"), value("other")) == (1, None, 4)


@pytest.mark.parametrize("text", ["ask tokens_out > 500", "ask any tokens_out > 500 /s", "ask at 8 tokens_out/s > 500"])
def test_items_per_second_may_be_required(text: str) -> None:
    requirement = parse_requirement(text)
    assert (requirement.figure, requirement.part, requirement.limit) == (ITEMS_FIGURE, "tokens_out", 500.0)
    for number, met in ((6_000, True), (4_000, False)):
        run = record(phase("async", 8, timed([10] * 10, name="ask", items={"tokens_out": number}), seconds=10.0))
        [reported] = judge(run, [requirement])
        assert (reported.met, reported.measured) == (met, f"{number / 10:g}/s")
    [none] = judge(record(phase("async", 8, timed([10], name="ask"))), [requirement])
    assert (none.met, none.measured) == (False, "nothing measured")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("search troughput > 5", "names an unknown figure: 'troughput'"),
        ("search p98 < 5 ms", "names an unknown figure: 'p98'"),
        ("ask tokens_out > 5 %", "names an unknown figure: 'tokens_out'"),
        ("ask Tokens > 5", "names an unknown figure: 'Tokens'"),
        ("ask async first_token tokens_out > 5", "asks for 'first_token' of tokens_out, which has no parts"),
    ],
)
def test_a_mistyped_figure_is_not_taken_for_items(text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as raised:
        parse_requirement(text)
    assert problem in raised.value.faults[0].problem


def spent(seconds: float, times: int) -> Durations:
    histogram = new_histogram()
    histogram.record_value(round(seconds * 1_000_000), times)
    return durations().model_copy(update={"histogram": histogram.encode()})


def asked(streamed: bool = True, **items: int) -> OperationRecord:
    """100 answers in 10 s, each of which took 0.95 s from the first token to the end."""
    stages = {"generate": spent(0.95, 100)} | ({"inter_token": spent(0.05, 1_900)} if streamed else {})
    repeated = ("inter_token",) if streamed else ()
    return timed([10] * 10, name="ask", items=items, stages=stages, repeated_stages=repeated)


def test_the_report_has_them_per_second_and_per_answer_and_the_time_per_output_token() -> None:
    run = record(phase("sync", 8, asked(tokens_in=50_000, tokens_out=2_000)), phase("async", 8, timed([5], name="ask")))
    table = item_table(summarize(run), "ask")
    assert table.head[2:] == (
        "tokens_in/s",
        "tokens_out/s",
        "tokens_in per answer",
        "tokens_out per answer",
        "ms per output token",
    )
    assert table.rows == (("8 users", "sync", "5,000.0", "200.0", "500.0", "20.0", "50.00"),)
    [reported] = json.loads(to_json([summarize(run)]))
    ask = next(one for one in reported["series"] if one["variant"] == "sync")
    assert ask["items"]["tokens_out"] == {"count": 2_000, "per_second": 200.0}
    assert "ms per output token" in to_html([summarize(run)])


def test_only_streams_have_a_time_per_output_token() -> None:
    for part in (asked(streamed=False, tokens_out=2_000), asked(tokens_out=100), asked(pages=3)):
        [row] = summarize(record(phase("sync", 8, part))).rows
        assert row.time_per_output_token is None
        assert "ms per output token" not in item_table(summarize(record(phase("sync", 8, part))), "ask").head
    assert time_per_output_token(95.0, 2_000, 100) == pytest.approx(0.05)
    assert time_per_output_token(95.0, 100, 100) is None


def test_an_operation_without_items_has_no_table() -> None:
    run = record(phase("sync", 8, timed([10] * 10)))
    assert item_table(summarize(run), "search").rows == ()
    assert "what it processed" not in to_html([summarize(run)])
