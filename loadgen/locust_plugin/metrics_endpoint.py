"""The metrics endpoint of one process: its address, its discovery, and its linger time."""

import logging
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import gevent
from locust.runners import LocalRunner, MasterRunner

from loadgen.exporters import Endpoint, Exporter, Role, Targets, VariantLabels, new_registry, serve
from loadgen.exporters.otlp import start_export
from loadgen.measure.objective import Objective
from loadgen.measure.operation import Operation
from loadgen.measure.sample import Mode, Sample
from loadgen.runtime.early_exit import leave
from loadgen.runtime.hub import run_in_thread
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings
from loadgen.settings.variants import find_variants
from loadgen.text.surroundings import is_in_pod

if TYPE_CHECKING:
    from loadgen.exporters.otlp.sending import Export

OWN = ("metrics_port", "metrics_bind", "metrics_targets", "metrics_linger", "otlp")
"""Settings that each process reads from its command line; a worker gets the others from its master later."""
LOOK = 0.1
"""Seconds between two checks of whether the wait is over."""

logger = logging.getLogger("loadgen")


class MetricsEndpoint:
    """One per process. Until `open` it has no thread and no socket."""

    def __init__(self, runner: Any) -> None:
        self.exporter = Exporter(_role_of(runner), lambda: runner.user_count)
        self._settings = Settings()
        self._endpoint: Endpoint | None = None
        self._targets: Targets | None = None
        self._export: Export | None = None
        self._is_warned = False

    def open(self, options: Any) -> tuple[Callable[[Sequence[Sample]], None], ...]:
        """Start serving and exporting; returns the sinks of samples, none if both are off.

        Ends the process if its metrics settings are wrong.
        """
        try:
            self._settings = settings = Settings.parse({name: getattr(options, name) for name in OWN})
            if settings.metrics_port != "off":
                self._endpoint = self._serve(settings.metrics_bind, settings.metrics_port)
                logger.info("Metrics are %s", self._place)
            if settings.metrics_targets:
                self._enter(Path(settings.metrics_targets))
            if settings.otlp:
                self._export = start_export(settings.otlp, self.exporter)
        except SettingsError as error:
            leave(str(error))
        sinks = (self.exporter,) if self._endpoint is not None or self._export is not None else ()
        return sinks if self._export is None else (*sinks, self._export)

    def expect(self, settings: Settings, operations: Mapping[Mode, Iterable[Operation]], objective: Objective) -> None:
        """Pre-register the series of every operation that the users of every variant can perform, by their mode."""
        if settings.otlp and self._export is None and self.exporter.role is Role.WORKER and not self._is_warned:
            self._is_warned = True
            logger.warning(
                "The master exports to --otlp %s, this worker does not: give it the same flag", settings.otlp
            )
        variants = {one.name: VariantLabels(Mode(one.mode), one.client) for one in find_variants(settings)}
        self.exporter.expect(variants, operations, objective)

    def _serve(self, bind: str, port: int) -> Endpoint:
        try:
            return serve(new_registry(self.exporter), bind, port)
        except (OSError, UnicodeError) as error:
            problem = f"cannot be served on: {getattr(error, 'strerror', None) or error}"
            hint = "Use an address of this machine and a free, permitted port."
            raise SettingsError([Fault("metrics_bind", f"{bind} with port {port}", problem, hint)]) from error

    def _enter(self, path: Path) -> None:
        assert self._endpoint is not None  # noqa: S101 - set by `open`
        self._targets = Targets(path)
        try:
            self._targets.add(self._endpoint.target, self.exporter.role)
        except OSError as error:
            problem = f"cannot be written: {error.strerror or error}"
            raise SettingsError([Fault("metrics_targets", str(path), problem, "Name another file.")]) from error

    def announce_end(self) -> None:
        """Export the last figures, and log how long the endpoint stays up, before the last line of the run."""
        if self._export is not None:
            run_in_thread(self._export.close)
        if self._lingers:
            end = "" if is_in_pod() else "; Ctrl-C ends it"
            logger.info("Metrics stay %s for %g s%s", self._place, self._settings.metrics_linger, end)

    @property
    def _place(self) -> str:
        """Of a pod the port: 127.0.0.1 is not where somebody reads this."""
        assert self._endpoint is not None  # noqa: S101 - set by `open`
        if is_in_pod() and self._endpoint.is_for_others:
            return f"on port {self._endpoint.port} of this pod"
        return f"at {self._endpoint.url}"

    @property
    def _lingers(self) -> bool:
        """False also if nothing ran."""
        return bool(self._settings.metrics_linger and self._endpoint is not None and self.exporter.settings is not None)

    def close(self) -> None:
        """Linger for a final scrape; the endpoint then ends with the process.

        Another Ctrl-C ends the wait.
        """
        if self._endpoint is None:
            return
        self._linger(self._settings.metrics_linger)
        if self._targets is not None:
            try:
                self._targets.remove()
            except OSError as error:
                logger.warning("%s still names this process: %s", self._settings.metrics_targets, error)
        self._endpoint = None

    def _linger(self, seconds: float) -> None:
        if not self._lingers:
            return
        asked: list[int] = []
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: asked.append(number))
        end = monotonic() + seconds
        while monotonic() < end and not asked:
            gevent.sleep(LOOK)


def _role_of(runner: Any) -> Role:
    if isinstance(runner, MasterRunner):
        return Role.MASTER
    return Role.LOCAL if isinstance(runner, LocalRunner) else Role.WORKER
