"""Messages that pages quote, made by the code that prints them."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from loadgen.control.exit_codes import End, find_exit_code
from loadgen.control.run import Run
from loadgen.locust_plugin.preparation import run_plan
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode
from loadgen.milvus.store.holders import Holder
from loadgen.milvus.store.lease import find_faults
from loadgen.results.verdict import explain
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from tests.unit.record_support import comparison, phase, record, timed


def tell_exit_code() -> str:
    """The last line of a run whose workers are gone."""
    plan = tuple(Phase(number, Mode.SYNC, 8, 10.0) for number in range(32))
    run = Run("one", Settings(), plan=plan, completed=16, broken="no worker is left after phase 17")
    code, why = find_exit_code(End(incomplete=run.incomplete))
    return f"Exit code {code}: {why}."


def tell_wrong_variants() -> str:
    """A list of variants with two mistakes."""
    try:
        Settings.parse({"variants": ["asynk", "async dim=8"]})
    except SettingsError as error:
        return str(error)
    raise AssertionError("both are wrong")


def tell_collection_in_use() -> str:
    """Another run has the collection."""
    holder = replace(
        Holder.here("loadgen", "", "searches"),
        run="20261122-193000-k3f9",
        host="box",
        pid=4711,
        since="2026-11-22 19:30:00",
    )
    return str(find_faults([holder])[0])


def tell_missing_user() -> str:
    """A locustfile without a user for one of the modes."""
    return str(run_plan._absent(Settings(), Mode.SYNC))


def tell_verdict() -> str:
    """Async is ahead from a level on."""
    phases = [phase(mode, users, timed([100] * 5)) for users in (1, 8, 32) for mode in ("sync", "async")]
    equal = {"verdict": "no difference", "throughput": (0.85, 1.13), "share_ahead": 0.4}
    compared = (
        comparison(1, 1.0, **equal),
        comparison(8, 1.02, **equal),
        comparison(32, 1.4, throughput=(1.22, 1.6), share_ahead=0.995),
    )
    return explain(record(*phases, comparisons=compared)).lines()[0]


MESSAGES: Mapping[str, Callable[[], str]] = {
    "collection in use": tell_collection_in_use,
    "exit code": tell_exit_code,
    "missing user": tell_missing_user,
    "verdict": tell_verdict,
    "wrong variants": tell_wrong_variants,
}
"""By the name that a page gives in a comment above the block."""
