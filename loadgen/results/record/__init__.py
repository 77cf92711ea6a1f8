"""The run record: one JSON file, its schema, and how it is written and read."""

from loadgen.results.record.collections import CollectionRecord
from loadgen.results.record.json_schema import schema
from loadgen.results.record.manifest import (
    Machine,
    describe_machine,
    mask_command_line,
    package_versions,
    settings_without_secrets,
)
from loadgen.results.record.model import (
    SCHEMA_VERSION,
    Comparison,
    Generator,
    Manifest,
    PhaseRecord,
    Ratio,
    RunRecord,
    SelectivityRecord,
    TaskErrorRecord,
    VariantRecord,
)
from loadgen.results.record.operations import CourseRecord, Durations, OperationRecord, Outside, ScheduledRate
from loadgen.results.record.rate_search import (
    RateConditionRecord,
    RateFindingRecord,
    RateSearchRecord,
    RateStepRecord,
)
from loadgen.results.record.run_id import new_run_id
from loadgen.results.record.scaling import Scaling, ScalingLaw, ScalingPoint
from loadgen.results.record.server import ServerRecord
from loadgen.results.record.slices import Slices
from loadgen.results.record.sweep import AtRecall, SweepPoint, SweepRecord
from loadgen.results.record.traces import TraceRecord, TracesRecord
from loadgen.results.record.writing import (
    PhaseTexts,
    RecordError,
    as_block,
    check_folder,
    make_folder,
    read_record,
    write_record,
)

__all__ = [
    "SCHEMA_VERSION",
    "AtRecall",
    "CollectionRecord",
    "Comparison",
    "CourseRecord",
    "Durations",
    "Generator",
    "Machine",
    "Manifest",
    "OperationRecord",
    "Outside",
    "PhaseRecord",
    "PhaseTexts",
    "RateConditionRecord",
    "RateFindingRecord",
    "RateSearchRecord",
    "RateStepRecord",
    "Ratio",
    "RecordError",
    "RunRecord",
    "Scaling",
    "ScalingLaw",
    "ScalingPoint",
    "ScheduledRate",
    "SelectivityRecord",
    "ServerRecord",
    "Slices",
    "SweepPoint",
    "SweepRecord",
    "TaskErrorRecord",
    "TraceRecord",
    "TracesRecord",
    "VariantRecord",
    "as_block",
    "check_folder",
    "describe_machine",
    "make_folder",
    "mask_command_line",
    "new_run_id",
    "package_versions",
    "read_record",
    "schema",
    "settings_without_secrets",
    "write_record",
]
