"""Series by variant: how they are labelled, described, kept apart and bounded."""

import sys
import threading

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from loadgen.exporters import Exporter, Role, VariantLabels, new_registry
from loadgen.exporters.buckets import DURATIONS
from loadgen.exporters.counting import OPERATIONS, SERIES, STAGES, VARIANTS
from loadgen.exporters.series import LONGEST_LABEL
from loadgen.measure.health import Beat
from loadgen.measure.operation import Operation
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.settings.model import Settings
from tests.unit.test_exporter import ASYNC, KINDS, OTHER, RUN, SEARCH, make, series_of

COUNT = "loadgen_operations_total"
OK = {"outcome": "ok"}
TWO = "async connections=2"
THREE = KINDS | {TWO: VariantLabels(Mode.ASYNC, "llamaindex")}
SEARCHES = {mode: [Operation("search")] for mode in Mode}


def sample(variant: str = "async", operation: str = "search") -> Sample:
    return Sample(variant, operation, 100.0, 100.0, 100.01, Outcome.OK, 10)


def count(registry: CollectorRegistry, **labels: str) -> float | None:
    return registry.get_sample_value(COUNT, SEARCH | OK | labels)


def test_variants_of_one_mode_have_series_of_their_own() -> None:
    exporter, registry = make()
    exporter.expect(THREE, SEARCHES)
    exporter([sample(), sample(), sample(variant=TWO), sample(variant="sync")])
    assert count(registry) == 2
    assert count(registry, variant=TWO) == 1
    assert count(registry, variant="sync", mode="sync") == 1
    exporter.enter(Phase(4, Mode.ASYNC, 8, variant=TWO), RUN)
    exporter.beat(Beat(at=1.0, cpu=0.01, wall=0.25, hub_lag=0.0, loop_lag=0.0, in_flight=1))
    assert registry.get_sample_value("loadgen_active_seconds_total", ASYNC | {"variant": TWO}) == 0.25
    assert registry.get_sample_value("loadgen_active_seconds_total", ASYNC) == 0
    reported = {"run_id": RUN["run_id"], "phase": "5", "variant": TWO, "mode": "async", "concurrency": "8"}
    assert registry.get_sample_value("loadgen_phase_info", reported) == 1


def describe(registry: CollectorRegistry) -> list[dict[str, str]]:
    families = (family for family in registry.collect() if family.name == "loadgen_variant_info")
    return [one.labels for family in families for one in family.samples]


def test_each_variant_of_the_latest_run_is_described_and_one_is_the_baseline() -> None:
    exporter, registry = make()
    assert describe(registry) == []
    given = "sync; flat: async index-type=FLAT; async connections=2"
    exporter.begin(Settings.parse({"variants": given, "baseline": "flat", "collection": "mine"}))
    exporter.enter(Phase(0, Mode.SYNC, 8), RUN)
    common = {"run_id": RUN["run_id"], "client": "llamaindex"}
    assert describe(registry) == [
        common | {"variant": name, "mode": mode, "baseline": baseline, "collection": collection, "index": index}
        | {"settings": settings}
        for name, mode, baseline, collection, index, settings in (
            ("sync", "sync", "false", "mine", "HNSW", "sync"),
            ("flat", "async", "true", "mine_flat", "FLAT", "async index-type=FLAT"),
            (TWO, "async", "false", "mine", "HNSW", TWO),
        )
    ]  # fmt: skip
    exporter.begin(Settings.parse({"mode": "async"}))
    (only,) = describe(registry)
    assert (only["variant"], only["baseline"], only["run_id"]) == ("async", "true", ""), "its id is set by a phase"


def test_long_settings_of_a_variant_are_cut_in_its_description() -> None:
    exporter, registry = make()
    exporter.begin(Settings.parse({"variants": f'sync; long: async output-fields="{"a" * 300}"'}))
    assert [len(one["settings"]) for one in describe(registry)] == [4, LONGEST_LABEL]


def test_variants_of_many_runs_are_bounded_and_further_ones_counted_together() -> None:
    exporter, registry = make()
    for run in range(20):
        exporter.expect({f"v{run}-{number}": VariantLabels(Mode.ASYNC, "llamaindex") for number in range(8)}, SEARCHES)
        exporter([sample(variant=f"v{run}-{number}") for number in range(8)])
        exporter.count_dropped(f"v{run}-0")
    counted = {line for line in series_of(registry) if line.startswith("loadgen_dropped_total")}
    assert len(counted) == VARIANTS + 1
    assert len(series_of(registry)) < 2 * (VARIANTS + 1) * (len(DURATIONS) + 20) + 300
    assert registry.get_sample_value(COUNT, OTHER | {"operation": "search"} | OK) == 160 - (VARIANTS - 2)
    total = sum(one.value for family in registry.collect() for one in family.samples if one.name == COUNT)
    assert total == 160
    dropped = registry.get_sample_value("loadgen_dropped_total", OTHER)
    assert dropped == 20 - 8, "of the first eight runs one variant each has a series"


def test_operations_of_all_variants_are_bounded_together() -> None:
    exporter, registry = make()
    names = [f"own_{number}" for number in range(OPERATIONS)]
    variants = {f"v{number}": VariantLabels(Mode.SYNC, "llamaindex") for number in range(40)}
    exporter.expect(variants, {Mode.SYNC: [Operation(name) for name in names]})
    assert sum(len(one.operations) for one in exporter.every.values()) == SERIES + 40 - SERIES // OPERATIONS
    exporter([sample(variant="v39", operation="own_3")])
    other = {"variant": "v39", "mode": "sync", "client": "llamaindex", "operation": "other"}
    assert registry.get_sample_value(COUNT, other | OK) == 1


def test_a_name_that_another_run_gives_to_another_mode_takes_over_no_count() -> None:
    exporter, registry = make()
    exporter.expect({"mine": VariantLabels(Mode.ASYNC, "llamaindex")}, SEARCHES)
    exporter([sample(variant="mine")] * 3)
    exporter.expect({"mine": VariantLabels(Mode.SYNC, "llamaindex")}, SEARCHES)
    assert count(registry, variant="mine", mode="sync") == 0
    exporter([sample(variant="mine")])
    assert count(registry, variant="mine", mode="sync") == 1
    assert count(registry, variant="mine") == 3, "a counter never falls, and never vanishes"


def test_a_variant_called_other_is_not_mixed_with_those_that_have_no_series() -> None:
    exporter, registry = make()
    exporter.expect({"other": VariantLabels(Mode.ASYNC, "llamaindex")}, SEARCHES)
    exporter([sample(variant="other"), sample(variant="never expected")])
    assert count(registry, variant="other") == 1
    assert registry.get_sample_value(COUNT, OTHER | {"operation": "search"} | OK) == 1


@pytest.mark.parametrize("name", ['async search-params="ef=64"', "a\\b", "ä, b/c.d+e#2"])
def test_any_name_can_be_a_label(name: str) -> None:
    exporter, registry = make()
    exporter.expect({name: VariantLabels(Mode.ASYNC, "llamaindex")}, SEARCHES)
    exporter([sample(variant=name)])
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    assert f'variant="{escaped}"' in generate_latest(registry).decode()
    assert count(registry, variant=name) == 1


def test_scrapes_beside_the_hub_neither_fail_nor_show_a_counter_that_falls() -> None:
    exporter = Exporter(Role.LOCAL, lambda: 1)
    registry = new_registry(exporter)
    faults: list[BaseException] = []
    over = threading.Event()

    def scrape() -> None:
        before = 0.0
        try:
            while not over.is_set():
                result = [one for family in registry.collect() for one in family.samples]
                total = sum(one.value for one in result if one.name == COUNT)
                assert total >= before
                before = total
        except BaseException as error:  # noqa: BLE001 - the thread's own fault is the test's
            faults.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        for number in range(300):
            names = [f"v{number}-{one}" for one in range(4)]
            exporter.expect({name: VariantLabels(Mode.ASYNC, "llamaindex") for name in names}, {})
            one = Sample(names[0], f"own_{number % 40}", 1.0, 1.0, 1.01, Outcome.OK, 10, stages={f"s{number}": 0.1})
            exporter([one, one._replace(nested=True), one._replace(variant="unknown")])
    finally:
        over.set()
        thread.join(60)
        sys.setswitchinterval(interval)
    assert faults == []


def test_nested_operations_have_series_of_their_own_and_stages_beside_the_others() -> None:
    exporter, registry = make()
    inner = sample()._replace(nested=True, stages={"embed": 0.004})
    exporter([inner, inner, sample(operation="ask")._replace(stages={"generate": 0.02})])
    ok = {"outcome": "ok"}
    assert registry.get_sample_value("loadgen_operations_total", SEARCH | ok) is None
    assert registry.get_sample_value("loadgen_nested_operations_total", SEARCH | ok) == 2
    assert registry.get_sample_value("loadgen_nested_seconds_sum", SEARCH) == pytest.approx(0.02)
    assert registry.get_sample_value("loadgen_operations_total", SEARCH | ok | {"operation": "ask"}) == 1
    assert registry.get_sample_value("loadgen_stage_seconds_count", SEARCH | {"stage": "embed"}) == 2
    asked = SEARCH | {"operation": "ask", "stage": "generate"}
    assert registry.get_sample_value("loadgen_stage_seconds_sum", asked) == pytest.approx(0.02)


def test_a_repeated_stage_counts_each_of_its_times() -> None:
    exporter, registry = make()
    exporter([sample()._replace(stages={"inter_token": (0.004, 0.006, 0.005)}), sample()._replace(stages={"x": ()})])
    places = SEARCH | {"stage": "inter_token"}
    assert registry.get_sample_value("loadgen_stage_seconds_count", places) == 3
    assert registry.get_sample_value("loadgen_stage_seconds_sum", places) == pytest.approx(0.015)


def test_stages_of_many_runs_do_not_grow_without_end() -> None:
    exporter, registry = make()
    exporter([sample()._replace(stages={f"stage_{number}": 0.01}) for number in range(STAGES + 50)])
    staged = {line for line in series_of(registry) if line.startswith("loadgen_stage_seconds_count")}
    assert len(staged) == STAGES + 1
    kept = [series for variant in exporter.every.values() for series in variant.operations.values()]
    assert sum(len(series.stages) for series in kept) == STAGES
    other = SEARCH | {"operation": "other", "stage": "other"}
    assert registry.get_sample_value("loadgen_stage_seconds_count", other) == 50


def test_stages_of_operations_beyond_the_limit_are_not_mixed() -> None:
    exporter, registry = make()
    exporter([sample(operation=f"own_{number}") for number in range(OPERATIONS)])
    for is_nested in (False, True):
        for name, seconds in (("late", 0.5), ("later", 0.25)):
            one = sample(operation=name)._replace(stages={"embed": seconds}, nested=is_nested)
            exporter([one, one])
    for name, seconds in (("late", 2.0), ("later", 1.0)):
        staged = SEARCH | {"operation": name, "stage": "embed"}
        assert registry.get_sample_value("loadgen_stage_seconds_sum", staged) == seconds
