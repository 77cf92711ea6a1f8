"""What a run compares: its variants, the baseline, and what may differ between them on purpose."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from loadgen.results.comparison import MODES, Pair
from loadgen.settings.answers import decides_answers
from loadgen.settings.model import Settings
from loadgen.settings.rate_search import is_search
from loadgen.settings.sweep import Swept, find_swept
from loadgen.settings.variants import find_baseline, find_variants, settings_of


@dataclass(frozen=True, slots=True)
class ComparisonPlan:
    """Which variants a run compares, and what may differ between them on purpose."""

    variants: tuple[str, ...]
    """In the order of a round."""
    baseline: str
    answers: Mapping[str, object] = field(default_factory=dict)
    """Per variant, the settings that decide which rows it finds; where equal, answers, recall and data must match."""
    connections: Mapping[str, int] = field(default_factory=dict)
    """Connections of each variant per process; default: 1."""

    swept: Mapping[str, Swept] = field(default_factory=dict)
    """In a sweep, what each variant was made of: those with the same value are compared."""
    is_compared: bool = True
    """False where each variant has its own loads, as in a search for a rate."""

    @property
    def pairs(self) -> list[Pair]:
        """Every comparison: each other variant with the baseline, in a sweep with that of the same value."""
        if self.swept:
            family = self.swept[self.baseline].family
            base = {one.value: name for name, one in self.swept.items() if one.family == family}
            return [Pair(base[one.value], name) for name, one in self.swept.items() if one.family != family]
        return [Pair(self.baseline, name) for name in self.variants if name != self.baseline and self.is_compared]

    def is_alike(self, pair: Pair) -> bool:
        """Whether both must find the same rows."""
        return self.answers.get(pair.baseline) == self.answers.get(pair.variant)


BOTH_MODES = ComparisonPlan(tuple(MODES), MODES.baseline)


def find_comparison_plan(settings: Settings) -> ComparisonPlan:
    """What a run of these settings compares. Raises SettingsError where its variants are wrong."""
    own = {one.name: settings_of(settings, one) for one in find_variants(settings)}
    return ComparisonPlan(
        tuple(own),
        find_baseline(settings),
        {name: decides_answers(one) for name, one in own.items()},
        {name: one.connections for name, one in own.items()},
        find_swept(find_variants(settings), settings),
        is_compared=not is_search(settings),
    )
