"""The run record, written after every phase."""

import logging
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom
from types import MappingProxyType

from loadgen.datasets import Selectivity
from loadgen.measure.ledger import RunCounts
from loadgen.measure.sample import Mode
from loadgen.milvus.store import ServerInfo
from loadgen.results import comparison as comparing
from loadgen.results.levels import LevelResult
from loadgen.results.phase_result import PhaseResult, record_errors
from loadgen.results.record import (
    SCHEMA_VERSION,
    CollectionRecord,
    Comparison,
    Manifest,
    Outside,
    PhaseTexts,
    RateSearchRecord,
    Ratio,
    RunRecord,
    SelectivityRecord,
    VariantRecord,
    describe_machine,
    mask_command_line,
    new_run_id,
    package_versions,
    settings_without_secrets,
    write_record,
)
from loadgen.results.resuming import Earlier, Identity, RunState, describe_phase, write_state
from loadgen.results.scaling import find_scaling
from loadgen.results.sweeps import find_sweep_plan, find_sweeps
from loadgen.settings.data_settings import EXISTING
from loadgen.settings.model import Settings
from loadgen.settings.variants import PER_VARIANT, Variant, find_baseline, find_variants, settings_of

PACKAGES = (
    "milvus-loadgen", "locust", "gevent", "grpcio", "pymilvus", "llama-index-core", "llama-index-vector-stores-milvus",
    "numpy", "hdrhistogram", "uvloop", "milvus", "milvus-lite",
)  # fmt: skip

FindSharers = Callable[[], tuple[str, ...] | None]
"""Other runs seen to use the collection; None if unknown."""

logger = logging.getLogger("loadgen")


class Recorder:
    """Rewrites `<run id>.json` after every phase; one per run, on the master or single process."""

    def __init__(
        self,
        settings: Settings,
        server: ServerInfo,
        workers: int,
        run_id: str = "",
        find_sharers: FindSharers = tuple,
    ) -> None:
        self._find_sharers = find_sharers
        self._folder = settings.record
        self._texts = PhaseTexts()
        self._sweep = find_sweep_plan(settings)
        self._earlier: Earlier | None = None
        self._identity: Identity | None = None
        self._objections: Mapping[str, tuple[str, ...]] = {}
        self.path: Path | None = None
        self.problem = ""
        """Why the file does not contain the latest state of the run."""
        now = datetime.now(UTC)
        self.record = RunRecord(
            schema_version=SCHEMA_VERSION,
            run_id=run_id or new_run_id(now, SystemRandom()),
            started_at=now,
            manifest=_manifest(settings, server, workers),
            phases=(),
            outside=(),
            dropped_outside={},
            planned_phases=None,
            incomplete=None,
            task_errors_outside=(),
            comparisons=(),
        )

    def resume(self, earlier: Earlier) -> None:
        """Go on with the record of an interrupted run, which was described when it began."""
        self._earlier = earlier
        self.record = earlier.continue_record()

    def keep_state(self, identity: Identity, objections: Mapping[str, tuple[str, ...]]) -> None:
        """Also write what another process needs to continue the run."""
        self._identity, self._objections = identity, objections

    def describe(self, settings: Settings, resolve: Callable[[Settings], Settings]) -> None:
        """Add the values given by existing collections to the manifest."""
        resolved = resolve(settings)
        update = {
            "settings": settings_without_secrets(resolved),
            "variants": tuple(_variant(settings, one, resolve) for one in find_variants(settings)),
            "dataset": EXISTING,
            "rows": resolved.rows,
            "index": resolved.index_config,
        }
        self.record = self.record.model_copy(update={"manifest": self.record.manifest.model_copy(update=update)})

    def note_selectivities(self, result: Mapping[str, Selectivity]) -> None:
        """Record what the searches of each variant may find."""
        manifest = self.record.manifest
        variants = tuple(
            one.model_copy(update={"selectivity": SelectivityRecord(**asdict(result[one.name]))})
            if one.name in result
            else one
            for one in manifest.variants
        )
        self.record = self.record.model_copy(update={"manifest": manifest.model_copy(update={"variants": variants})})

    def hide(self, flags: Collection[str]) -> None:
        """Mask the values of these flags of the locustfile in the command line."""
        reported = {"command_line": mask_command_line(sys.argv, flags)}
        self.record = self.record.model_copy(update={"manifest": self.record.manifest.model_copy(update=reported)})

    def name_data(self, fingerprint: str) -> None:
        """Record the fingerprint of the data."""
        manifest = self.record.manifest.model_copy(update={"fingerprint": fingerprint})
        self.record = self.record.model_copy(update={"manifest": manifest})

    def describe_collections(
        self, loaded: Sequence[CollectionRecord], after: Mapping[str, int | None] = MappingProxyType({})
    ) -> None:
        """Record the collections; `after` has their segments at the end of the run."""
        known = tuple(one.model_copy(update={"segments_after": after.get(one.name)}) for one in loaded)
        manifest = self.record.manifest.model_copy(update={"collections": known})
        self.record = self.record.model_copy(update={"manifest": manifest})

    def note_search(self, rate_search: RateSearchRecord) -> None:
        """Record the search for a rate, as far as it has come."""
        self.record = self.record.model_copy(update={"rate_search": rate_search})

    def expect(self, phases: int) -> None:
        """Set the number of planned phases."""
        self.record = self.record.model_copy(update={"planned_phases": phases})

    def keep(
        self,
        results: Sequence[PhaseResult],
        ledger: RunCounts,
        levels: Sequence[LevelResult] = (),
        incomplete: str | None = None,
    ) -> None:
        """Write all phases measured so far, including those without answers. A failing folder is reported.

        `incomplete`: why the run ended early, None while it goes on.
        """
        phases = tuple(result.record for result in results)
        earlier, errors = self._earlier, record_errors(ledger.errors_outside)
        dropped = {name: number for name, number in ledger.dropped_outside.items() if number}
        outside = _outside(ledger)
        comparisons = tuple(_comparison(level, one) for level in levels for one in level.comparisons.values())
        self.record = self.record.model_copy(
            update={
                "manifest": self.record.manifest.model_copy(update={"shared_with": self._list_sharers()}),
                "phases": phases,
                "outside": outside if earlier is None else earlier.add_outside(outside),
                "incomplete": incomplete,
                "dropped_outside": dropped if earlier is None else earlier.add_dropped(dropped),
                "task_errors_outside": errors if earlier is None else earlier.add_errors(errors),
                "comparisons": comparisons,
                "scaling": find_scaling(phases),
                "sweeps": find_sweeps(phases, self._sweep) if levels else (),
            }
        )
        if self._folder and phases:
            self._write(results)

    def _list_sharers(self) -> tuple[str, ...] | None:
        now = self._find_sharers()
        if self._earlier is None or now is None:
            return now
        return tuple(dict.fromkeys([*(self._earlier.record.manifest.shared_with or ()), *now]))

    def _write(self, results: Sequence[PhaseResult]) -> None:
        try:
            if self._identity is not None:
                states = tuple(describe_phase(result) for result in results)
                objections = dict(self._objections)
                state = RunState(
                    run_id=self.record.run_id, identity=self._identity, objections=objections, phases=states
                )
                write_state(self._folder, state)
            self.path = write_record(self._folder, self.record, self._texts)
            self.problem = ""
        except OSError as error:
            self.problem = f"the run record cannot be written to {self._folder}: {error.strerror or error}"
            logger.error("%s%s", self.problem[:1].upper(), self.problem[1:])  # noqa: TRY400


def _manifest(settings: Settings, server: ServerInfo, workers: int) -> Manifest:
    machine = describe_machine()
    return Manifest(
        settings=settings_without_secrets(settings),
        variants=tuple(_variant(settings, one) for one in find_variants(settings)),
        baseline=find_baseline(settings),
        packages=package_versions(PACKAGES),
        server_version=server.version,
        server_type=server.kind,
        rows=settings.rows,
        dataset=settings.dataset,
        index=settings.index_config,
        seed=settings.seed,
        workers=workers,
        shared_with=(),
        cpu_model=machine.cpu_model,
        cpu_count=machine.cpu_count,
        memory_bytes=machine.memory_bytes,
        python=machine.python,
        command_line=mask_command_line(sys.argv),
    )


def _variant(
    settings: Settings, variant: Variant, resolve: Callable[[Settings], Settings] = lambda one: one
) -> VariantRecord:
    """The variant with the settings in which it differs from the run, with their effective values."""
    both = resolve(settings_of(settings, variant)), resolve(settings)
    own, run = map(settings_without_secrets, both)
    differ = {name: own[name] for name in PER_VARIANT if own[name] != run[name]}
    return VariantRecord(name=variant.name, mode=Mode(variant.mode), client=variant.client, settings=differ)


def _outside(ledger: RunCounts) -> tuple[Outside, ...]:
    return tuple(
        Outside(variant=variant, operation=name, outcomes=dict(outcomes), is_nested=is_nested)
        for is_nested, every in ((False, ledger.outside), (True, ledger.nested_outside))
        for (variant, name), outcomes in sorted(list(every.items()))  # noqa: C414 - a copy: more may arrive meanwhile
    )


def _comparison(level: LevelResult, comparison: comparing.ComparisonResult) -> Comparison:
    return Comparison(
        baseline=comparison.pair.baseline,
        variant=comparison.pair.variant,
        operation=level.operation,
        concurrency=None if level.level.is_open else int(level.level.value),
        rate=level.level.value if level.level.is_open else None,
        throughput_ratio=_ratio(comparison.throughput),
        p50_ratio=_ratio(comparison.p50),
        p99_ratio=_ratio(comparison.p99),
        goodput_ratio=_ratio(comparison.goodput) if level.is_judged else None,
        share_ahead=comparison.share_ahead,
        verdict=comparison.verdict.value,
        reasons=comparison.reasons,
    )


def _ratio(ratio: comparing.RatioEstimate | None) -> Ratio:
    if ratio is None:
        return Ratio(estimate=None, low=None, high=None)
    return Ratio.model_validate(ratio, from_attributes=True)
