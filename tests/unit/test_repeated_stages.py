"""Stages that occur many times in one operation: every time counts, and the way to the coordinator keeps them."""

import msgpack
import pytest

from loadgen.measure.batch import Batch
from loadgen.measure.operation import Operation, OperationNameError
from loadgen.measure.operation_stats import OperationStats
from loadgen.measure.sample import Outcome, Sample, StageTimes

ASK = Operation("ask", stages=("embed",), repeated=("inter_token",))


def stats_of(*stages: StageTimes) -> OperationStats:
    stats = OperationStats()
    samples = [Sample("async", "ask", 1.0, 1.0, 1.1, Outcome.OK, 1, stages=one) for one in stages]
    stats.add_all(Batch.of(samples))
    return stats


def test_every_time_is_in_the_histogram() -> None:
    stats = stats_of({"embed": 0.01, "inter_token": (0.004, 0.006)}, {"embed": 0.01, "inter_token": (0.005,)})
    assert stats.repeated == {"inter_token"}
    between = stats.stage("inter_token")
    assert (between.get_total_count(), between.get_min_value(), between.get_max_value()) == (3, 4000, 6003)
    assert stats.stage("embed").get_total_count() == 2


def test_a_coordinator_receives_them() -> None:
    one, other = stats_of({"inter_token": (0.004, 0.006)}), stats_of({"embed": 0.01})
    received = OperationStats.from_message(msgpack.unpackb(msgpack.packb(one.as_message())))
    assert (received.stages, received.repeated) == (one.stages, {"inter_token"})
    other.merge(received)
    assert other.repeated == {"inter_token"}
    assert sorted(other.stages) == ["embed", "inter_token"]
    assert other.stage("inter_token").get_total_count() == 2


def test_they_are_declared_apart_and_their_names_are_checked() -> None:
    assert ASK.all_stages == ("embed", "inter_token")
    with pytest.raises(OperationNameError, match="'Inter Token' is not a name of a stage"):
        Operation("ask", repeated=("Inter Token",))
