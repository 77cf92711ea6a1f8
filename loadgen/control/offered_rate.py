"""The scheduled rate of this process in its metrics, which a profile changes over time."""

from time import perf_counter

from loadgen.exporters import Exporter
from loadgen.measure.phase import Phase
from loadgen.measure.rate_curve import RateCurve


class OfferedRate:
    """Used only on the hub."""

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter
        self._phase: Phase | None = None
        self._curves: tuple[RateCurve, ...] = ()
        self._begun = 0.0
        self._parts = 1

    def begin(self, phase: Phase, begun: float, parts: int) -> None:
        """A phase whose warm-up began at a moment (perf_counter), as one of several shares."""
        self._phase, self._begun, self._parts = phase, begun + phase.warmup_seconds, parts
        self._curves = tuple(RateCurve(points) for _, points in phase.curves)
        self._show()

    def reshare(self, parts: int) -> None:
        """The share has changed."""
        self._parts = parts
        self._show()

    def update(self) -> None:
        """Show the rate of this moment, if it changes at all."""
        if self._curves:
            self._show()

    def end(self) -> None:
        """The schedule is over."""
        self._phase, self._curves = None, ()

    def _show(self) -> None:
        if self._phase is None:
            return
        now = perf_counter() - self._begun
        rate = sum(curve.rate_at(now) for curve in self._curves) if self._curves else self._phase.rate
        self._exporter.offer(self._phase.variant, rate / self._parts)
