"""Settings of the run, of its result, and of its metrics."""

from typing import Literal

from loadgen.settings.rag_settings import RagSettings
from loadgen.settings.rates import Rates
from loadgen.settings.setting import NOT_ON_PAGE, OFF_PAGE, ON_PAGE, WHOLE_NUMBERS, setting
from loadgen.settings.values import Counts, Duration, Port, Texts, WorkerCounts


class RunSettings(RagSettings):
    """The run."""

    mode: Literal["compare", "sync", "async"] = setting(
        "compare", "compare sync and async at each load level, or run one mode with Locust's own -u, -r and -t"
    )
    variants: Texts = setting(
        (),
        "what to compare, such as 'sync; async; async connections=4': modes and the settings in which they differ",
        declares=ON_PAGE,
    )
    baseline: str = setting("", "variant to compare the others with; default: the first", declares=ON_PAGE)
    sweep: str = setting(
        "",
        "search parameter and the values with which each variant is measured, such as 'ef=16,32,64,128'",
        declares=ON_PAGE,
    )
    at_recall: float = setting(
        0.0, "recall at which a sweep compares the throughputs of the variants, such as 0.95; 0: none", ge=0, le=1
    )
    concurrency: Counts = setting(
        (1, 8, 32), "load levels in users, comma-separated", hint=f"{WHOLE_NUMBERS}, such as 1,8,32"
    )
    scale_workers: WorkerCounts = setting(
        (),
        "numbers of workers to compare, comma-separated, such as 1,2,4; the one load level is then for each worker",
        hint="Give whole numbers from 1 to 10,000 with commas, such as 1,2,4",
    )
    arrival: Literal["closed", "constant", "poisson"] = setting(
        "closed", "closed: users wait for their answer; constant, poisson: arrivals at --rate, evenly spaced or random"
    )
    rate: Rates = setting(
        (),
        "load levels of an open run in arrivals per second, comma-separated; or one by task: 'search: 200, insert: 20'",
        hint="Give numbers from 0.001 to 1,000,000 with commas, such as 50,100,200 or 'search: 200, insert: 20'",
    )
    rate_profile: str = setting(
        "", "CSV or YAML file of seconds,rate for ramps and spikes in an open run, linear between its points"
    )
    find_rate: str = setting(
        "",
        "find the highest arrival rate that meets these conditions, such as 'search p99 < 50 ms, search failures < 1%'",
        declares=ON_PAGE,
    )
    find_within: Duration = setting(
        600.0,
        "time limit of the search for a rate, such as 10m",
        unit="s",
        hint="Give a time from 10 s to 1 day, such as 90s, 10m or 1h",
        ge=10,
        le=86_400,
    )
    max_in_flight: int = setting(
        256, "maximum concurrent operations per process (open model); threads, for sync", ge=1, le=10_000
    )
    max_wait: float = setting(1.0, "maximum time an arrival may queue before it is dropped", unit="s", ge=0, le=600)
    rounds: int = setting(
        2,
        "rounds per load level; a round runs all variants forward and back: sync, async, async, sync",
        ge=1,
        le=1_000,
    )
    phase_seconds: float = setting(10.0, "measured duration of a phase", unit="s", ge=0.01, le=86_400)
    warmup_seconds: float = setting(2.0, "warm-up before the measured part of a phase", unit="s", ge=0, le=86_400)
    give_up_after: float = setting(
        30.0,
        "end the run after this time without a success (at least one deadline); 0: never",
        unit="s",
        ge=0,
        le=86_400,
    )
    fault: Texts = setting(
        (),
        "what happens to the server in each phase, such as '20s pause server 5s' (guide: Fault drills); repeatable",
        declares=OFF_PAGE,
    )
    recovery_within: float = setting(
        30.0,
        "time after a fault in which failures are expected and do not end the run",
        unit="s",
        ge=0,
        le=86_400,
    )
    abort_when: str = setting(
        "",
        "end the run, with exit code 1, when this is true of its last 10 s, such as 'failures > 5 %, search p99 > 1 s'",
        declares=ON_PAGE,
    )
    worker_grace: float = setting(
        120.0,
        "maximum time to wait for a replacement of a lost worker before its phase is repeated",
        unit="s",
        ge=0,
        le=86_400,
    )
    dry_run: bool = setting(
        False,
        "print the plan, its duration, operations, memory and collections, and end; nothing is sent",
        declares=NOT_ON_PAGE,
    )
    burst: Counts = setting(
        (10, 100, 1_000), "operations per burst, comma-separated", hint=f"{WHOLE_NUMBERS}, such as 10,100,1000"
    )


class ResultSettings(RunSettings):
    """The result and the metrics."""

    record: str = setting("runs", "folder for the run record; empty: none")
    record_url: str = setting(
        "",
        "object storage for record and report too, such as s3://my-bucket/loadgen (s3, gs or az)",
    )
    resume: bool = setting(
        False,
        "continue the newest run in the record folder that was started with this flag and is unfinished, if any",
        declares=OFF_PAGE,
    )
    report: Literal["html", "markdown", "none"] = setting(
        "html", "report to write next to the record at the end of the run"
    )
    print_record: bool = setting(False, "print the run record at the end, to keep it in the log")
    require: Texts = setting((), "requirement for exit code 0, such as 'search async p99 < 50 ms'; repeatable")
    objective: str = setting(
        "",
        "what makes an operation good, such as 'first_token < 500 ms, response < 3 s'; reports good operations/s",
        declares=ON_PAGE,
    )
    max_failures: str = setting("", "failed operations to tolerate, such as 1% or 10; default: none", declares=ON_PAGE)
    max_empty: str = setting(
        "1%",
        "maximum share of empty answers; above it, a comparison is invalid and the run fails",
        declares=ON_PAGE,
    )

    trace_sample: float = setting(
        0.0,
        "share of operations (0 to 1) whose requests send a W3C traceparent; the slowest are in record and report",
        ge=0,
        le=1,
    )

    # The metrics
    metrics_port: Port = setting(
        9646,
        "port of /metrics for Prometheus, or the next free one; 0: any free port; off: none",
        hint="Give a port, 0 or off",
        declares=NOT_ON_PAGE,
    )
    metrics_bind: str = setting("127.0.0.1", "address on which /metrics is served; *: all interfaces, IPv4 and IPv6")
    metrics_targets: str = setting(
        "", "JSON file for the file discovery of a local Prometheus; lists the processes to scrape"
    )
    metrics_linger: float = setting(
        0.0,
        "time to keep /metrics up after the run, for a final scrape; Ctrl-C ends it",
        unit="s",
        declares=NOT_ON_PAGE,
        ge=0,
        le=3_600,
    )
    otlp: str = setting(
        "", "OTLP endpoint (HTTP) for metrics, and for spans of sampled operations, such as http://127.0.0.1:4318"
    )
