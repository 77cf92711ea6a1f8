"""Messages between coordinator and agents: frozen values with a run id and a sequence number.

On the wire a message is a plain dictionary (`encode`), read back by `decode`, which refuses anything else. A command is
repeated until it is answered and carried out once; a report replaces the agent's earlier ones, and contains everything
not yet confirmed. So a message that is lost, late, repeated or out of order changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from loadgen.control.fault_messages import CheckFaults
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode

COMMAND, FROM_AGENT = "loadgen_command", "loadgen_agent"
"""Locust message types: from the coordinator, and from an agent."""


@dataclass(frozen=True, slots=True)
class ShareFrom:
    """A share of the arrivals from a moment on: number `index` of `parts`, `after` seconds from the phase's start."""

    after: float
    index: int
    parts: int


@dataclass(frozen=True, slots=True)
class ReadData:
    """Before `Prepare`: read the files of a run, and compare them with those of the coordinator. Answer: None."""

    settings: Mapping[str, Any]
    data: str
    """What the coordinator has read, with numbers and fingerprints."""
    run_id: str = ""
    sequence: int = 0
    kind: Literal["read_data"] = "read_data"


@dataclass(frozen=True, slots=True)
class Prepare:
    """Open stores and create queries for a run; `settings` are all settings, including secrets. Answer: None."""

    settings: Mapping[str, Any]
    run_id: str = ""
    sequence: int = 0
    kind: Literal["prepare"] = "prepare"
    collections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Existing collections as the server describes them, by name."""


@dataclass(frozen=True, slots=True)
class Learn:
    """The exact neighbours, for checking searches. Answer: None."""

    ground_truths: tuple[Mapping[str, Any], ...]
    """One for each number of neighbours that searches request."""
    run_id: str = ""
    sequence: int = 0
    kind: Literal["learn"] = "learn"


@dataclass(frozen=True, slots=True)
class Announce:
    """The next users that Locust starts belong to this phase. Answer: None."""

    phase: Phase
    run_id: str = ""
    sequence: int = 0
    kind: Literal["announce"] = "announce"


@dataclass(frozen=True, slots=True)
class CountUsers:
    """Answer: `started` (all that completed their on_start in this phase), `present` (not ended) and `ended`.

    The latter ended without being stopped.
    """

    run_id: str = ""
    sequence: int = 0
    kind: Literal["count_users"] = "count_users"


@dataclass(frozen=True, slots=True)
class CountMissingSlots:
    """Answer: the concurrency slots of an open phase that are not ready yet; the first such command creates them."""

    phase: Phase
    run_id: str = ""
    sequence: int = 0
    kind: Literal["count_missing_slots"] = "count_missing_slots"


@dataclass(frozen=True, slots=True)
class Enter:
    """Show this phase in the metrics from now on; `labels` name the run. Answer: None."""

    phase: Phase
    labels: Mapping[str, str]
    run_id: str = ""
    sequence: int = 0
    kind: Literal["enter"] = "enter"


@dataclass(frozen=True, slots=True)
class OpenWindow:
    """Count for this phase, whose warm-up began `elapsed` seconds ago; an open one with this share. Answer: None."""

    phase: Phase
    share: ShareFrom | None = None
    elapsed: float = 0.0
    run_id: str = ""
    sequence: int = 0
    kind: Literal["open_window"] = "open_window"


@dataclass(frozen=True, slots=True)
class Reshare:
    """Use another share of the arrivals from some moment on. Answer: None."""

    share: ShareFrom
    run_id: str = ""
    sequence: int = 0
    kind: Literal["reshare"] = "reshare"


@dataclass(frozen=True, slots=True)
class CountBacklog:
    """Answer: arrivals `waiting` for a slot, operations `in_flight`, and arrivals `dropped` in this phase so far."""

    run_id: str = ""
    sequence: int = 0
    kind: Literal["count_backlog"] = "count_backlog"


@dataclass(frozen=True, slots=True)
class CutShort:
    """End the open phase of this number now: no more arrivals; what has ended so far counts. Answer: None."""

    number: int
    run_id: str = ""
    sequence: int = 0
    kind: Literal["cut_short"] = "cut_short"


@dataclass(frozen=True, slots=True)
class IsOver:
    """Answer: whether the burst of this number has ended here."""

    number: int
    run_id: str = ""
    sequence: int = 0
    kind: Literal["is_over"] = "is_over"


@dataclass(frozen=True, slots=True)
class Describe:
    """Answer: the open `connections` of a variant in this process, and the fingerprints of the `data` that they see."""

    variant: str
    run_id: str = ""
    sequence: int = 0
    kind: Literal["describe"] = "describe"


@dataclass(frozen=True, slots=True)
class Drain:
    """Wait for the users to end, and count their operations. Answer: a full report, as `Report.body`."""

    run_id: str = ""
    sequence: int = 0
    kind: Literal["drain"] = "drain"


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the users, then proceed as for `Drain`."""

    run_id: str = ""
    sequence: int = 0
    kind: Literal["stop"] = "stop"


@dataclass(frozen=True, slots=True)
class Confirm:
    """The report with this number has arrived: later ones may omit what has not changed since. Not answered."""

    report: int
    run_id: str = ""
    sequence: int = 0
    kind: Literal["confirm"] = "confirm"


@dataclass(frozen=True, slots=True)
class Refuse:
    """This worker does not belong to the run: it ends, with the reason. Not answered."""

    reason: str
    run_id: str = ""
    sequence: int = 0
    kind: Literal["refuse"] = "refuse"


@dataclass(frozen=True, slots=True)
class Hello:
    """From a newly connected agent: what it runs, and its parent (empty if not forked)."""

    version: str
    locustfile: str
    """Fingerprint of its locustfiles."""
    parent: str = ""
    """Key of the master that forked it."""
    run_id: str = ""
    sequence: int = 0
    kind: Literal["hello"] = "hello"


@dataclass(frozen=True, slots=True)
class Answer:
    """To the command with the same run and sequence number; `error` is empty if it was carried out."""

    run_id: str
    sequence: int
    value: Any = None
    error: str = ""
    kind: Literal["answer"] = "answer"


@dataclass(frozen=True, slots=True)
class Report:
    """Everything an agent has counted so far (`Ledger.take_report`)."""

    run_id: str
    sequence: int
    body: Mapping[str, Any] = field(default_factory=dict)
    in_flight: int = 0
    kind: Literal["report"] = "report"


@dataclass(frozen=True, slots=True)
class Failure:
    """From an agent that cannot continue, with the reason; unsolicited."""

    reason: str
    run_id: str = ""
    sequence: int = 0
    kind: Literal["failure"] = "failure"


Command = (
    ReadData | Prepare | Learn | Announce | CountUsers | CountMissingSlots | Enter | OpenWindow | Reshare | IsOver
    | CountBacklog | CutShort | Describe | CheckFaults | Drain | Stop | Confirm | Refuse
)  # fmt: skip
FromAgent = Hello | Answer | Report | Failure
Message = Command | FromAgent

_ANY: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="kind")])


class MessageError(ValueError):
    """Not a valid message of this version."""


def encode(message: Message) -> dict[str, Any]:
    """Plain values for msgpack."""
    plain: dict[str, Any] = _plain(_ANY.dump_python(message))
    return plain


def _plain(value: Any) -> Any:
    """The same without enumerations, which msgpack does not support."""
    if isinstance(value, Mode):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return value


def decode(data: object) -> Message:
    """The inverse of `encode`. Raises MessageError for anything else, such as a message of another version.

    Its text is a single line that is safe to log: it contains nothing of the message except names of parts.
    """
    try:
        return _ANY.validate_python(data)
    except ValidationError as error:
        item = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if not item["loc"]:
            raise MessageError("message: it is of no kind that is known here") from None
        text = f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
        raise MessageError("".join(sign if sign.isprintable() else "?" for sign in text)) from None
