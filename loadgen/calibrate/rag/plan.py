"""What is measured of the RAG path: four runs of `locust`, each against a simulated model with known behaviour."""

from dataclasses import dataclass

from loadgen.llm_server import Behaviour

LEVELS = (1, 8, 32)
"""Users of the windows that are compared with bare loops."""
LONGER = 3
"""How much longer windows are than those about outcomes: users start together and mostly end together, so that a short
window has few rounds of theirs, and one more or less of them is a tenth of its rate."""
SOME_USERS = (8,)
"""Users of the other runs."""
WARMUP = 0.3
PHASES = 4
"""Of a round at one level: sync, async, async, sync."""
MARK = "bare "
"""How a line of standard output starts that has the figures of a bare window."""
TOTAL = "total"
BARE, STAGES, OUTCOMES = "bare", "stages", "outcomes"
KNOWN = {"first_token": "50ms", "inter_token": "5ms", "tokens": 20}
ERRORS = "429:0.1; 503:0.1; broken:0.1"
LOCUSTFILE = '''"""Questions in both modes, for `loadgen calibrate --rag`."""

from locust import events, task

from loadgen import AsyncUser, SyncUser, plug
from loadgen.calibrate.rag.windows import take_turns

plug(events, client="rag")


class SyncQuestions(SyncUser):
    operations = ("ask",)

    @task
    def ask(self):
        self.client.ask(self.next_question())


class AsyncQuestions(AsyncUser):
    operations = ("ask",)

    @task
    async def ask(self):
        await self.client.ask(self.next_question())


@events.init.add_listener
def alternate(environment, **_):
    take_turns(environment, "{subject}")
'''


@dataclass(frozen=True, slots=True)
class RagDrive:
    """One run."""

    subject: str
    """`bare`: the tool and bare loops in turns. `stages`: the tool with its stages and without. `outcomes`: errors."""
    title: str
    behaviour: Behaviour
    """Of the model."""
    levels: tuple[int, ...]
    rounds: int
    seconds: float
    """Length of a window."""

    @property
    def phases(self) -> int:
        """Number of the tool's windows."""
        return PHASES * len(self.levels) * self.rounds

    @property
    def longest(self) -> float:
        """Seconds that it takes at most, without its start and end."""
        return 2 * self.phases * (self.seconds + WARMUP + 2)

    @property
    def flags(self) -> list[str]:
        """For Locust: the length and the load of the phases."""
        load = ["--concurrency", ",".join(map(str, self.levels)), "--rounds", str(self.rounds)]
        return [*load, "--phase-seconds", f"{self.seconds:g}", "--warmup-seconds", f"{min(WARMUP, self.seconds):g}"]


def make_plan(seconds: float) -> tuple[RagDrive, ...]:
    """All runs."""
    known = Behaviour.parse(KNOWN)
    at_once = Behaviour.parse(KNOWN | {"first_token": "0", "inter_token": "0"})
    faulty = Behaviour.parse({"first_token": "20ms", "inter_token": "2ms", "tokens": 10, "errors": ERRORS, "seed": 5})
    reported = "50 ms to the first of 20 tokens, 5 ms between, in turns with bare loops"
    return (
        RagDrive(BARE, reported, known, LEVELS, 2, LONGER * seconds),
        RagDrive(STAGES, "no delay, with stages and without", at_once, SOME_USERS, 4, LONGER * seconds),
        RagDrive(OUTCOMES, ERRORS, faulty, SOME_USERS, 1, seconds),
    )


def has_stages(number: int) -> bool:
    """Whether phase `number`, from 0, of a run about stages has them: in the first and the last round of each four."""
    return number // PHASES % 4 in (0, 3)
