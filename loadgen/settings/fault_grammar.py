"""`--fault "20s pause server 5s"`: what happens to the server, and at which second of a phase.

fault  = second action
action = "pause server" time | "kill server" [ time ] | "restart server" | "latency" time time
       | "bandwidth" size "/s" time | "cut" [ time ] | "blackhole" time | "command:" text
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from loadgen.settings.faults import Fault, SettingsError

if TYPE_CHECKING:
    from loadgen.settings.model import Settings

EARLIEST = 1.0
"""Seconds of a phase before its first fault: they tell the throughput without it."""
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0}
SIZES = {"B": 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}
GRAMMAR = (
    "Write a second of the phase and one of: pause server TIME, kill server [TIME], restart server, latency TIME TIME, "
    'bandwidth SIZE/s TIME, cut [TIME], blackhole TIME, command: TEXT; for example "20s pause server 5s"'
)
_TIME = r"\d+(?:\.\d+)?\s*(?:ms|s|min|m)"
_SIZE = r"\d+(?:\.\d+)?\s*(?:[kKMG]i?)?B/s"


class Action(StrEnum):
    """What a fault does."""

    PAUSE = "pause server"
    KILL = "kill server"
    RESTART = "restart server"
    LATENCY = "latency"
    BANDWIDTH = "bandwidth"
    CUT = "cut"
    BLACKHOLE = "blackhole"
    COMMAND = "command:"

    @property
    def label(self) -> str:
        """The label of its series."""
        return self.value.rstrip(":")

    @property
    def is_of_server(self) -> bool:
        """True if it needs an embedded server."""
        return self in (Action.PAUSE, Action.KILL, Action.RESTART)

    @property
    def is_of_proxy(self) -> bool:
        """True if connections must go through the proxy."""
        return self in (Action.LATENCY, Action.BANDWIDTH, Action.CUT, Action.BLACKHOLE)


FORMS = {
    Action.PAUSE: rf"pause\s+server\s+(?P<time>{_TIME})",
    Action.KILL: rf"kill\s+server(?:\s+(?P<time>{_TIME}))?",
    Action.RESTART: r"restart\s+server",
    Action.LATENCY: rf"latency\s+(?P<amount>{_TIME})\s+(?P<time>{_TIME})",
    Action.BANDWIDTH: rf"bandwidth\s+(?P<amount>{_SIZE})\s+(?P<time>{_TIME})",
    Action.CUT: rf"cut(?:\s+(?P<time>{_TIME}))?",
    Action.BLACKHOLE: rf"blackhole\s+(?P<time>{_TIME})",
    Action.COMMAND: r"command:(?P<text>.*)",
}
AT = re.compile(rf"(?P<at>{_TIME})\s+(?P<what>\S.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """One fault, which happens in every phase."""

    at: float
    """Seconds from the start of the measured part of a phase."""
    action: Action
    seconds: float = 0.0
    """How long it lasts; 0 for a moment, or until the next `restart server`."""
    amount: float = 0.0
    """Seconds of latency, or bytes per second."""
    command: str = ""
    until: float = 0.0
    """Second of the phase at which another fault ends this one; 0: none does."""

    @property
    def name(self) -> str:
        """What happens, such as `pause server 5s`; of a command only that it is one."""
        amount = {Action.LATENCY: f" {self.amount * 1000:g}ms", Action.BANDWIDTH: f" {self.amount / 1e6:g}MB/s"}
        text = f"{self.action}{amount.get(self.action, '')}"
        return f"{text} {self.seconds:g}s" if self.seconds else text.rstrip(":")

    @property
    def end(self) -> float:
        """Second of the phase at which it is over as planned."""
        return self.until or self.at + self.seconds


def parse_fault(text: str) -> PlannedFault:
    """Read one fault. Raises SettingsError with one fault: the text, the problem and the grammar."""
    head = AT.fullmatch(text.strip())
    if head is None:
        raise SettingsError([_refused(text, "does not begin with a second such as 20s")])
    for action, form in FORMS.items():
        match = re.fullmatch(form, head["what"].strip(), re.DOTALL)
        if match is None:
            continue
        parts = match.groupdict()
        command = _unquote((parts.get("text") or "").strip())
        if action is Action.COMMAND and not command:
            raise SettingsError([_refused(text, "has no command after command:")])
        time = _seconds(parts.get("time"))
        amount = _amount(parts.get("amount"))
        if 0.0 in (time, amount):
            raise SettingsError([_refused(text, "has a time or an amount of 0")])
        return PlannedFault(_seconds(head["at"]) or 0.0, action, time or 0.0, amount or 0.0, command)
    raise SettingsError([_refused(text, "names no known action with its times")])


def _refused(text: str, problem: str, hint: str = GRAMMAR) -> Fault:
    return Fault("fault", f'"{shown(text)}"', problem, f"{hint}.")


def shown(text: str) -> str:
    """A fault without the text of its command, which may contain secrets."""
    head, mark, _ = text.strip().partition("command:")
    return f"{head}{mark} ..." if mark else head


def _unquote(text: str) -> str:
    """A command that is quoted as a whole, because it contains a semicolon."""
    return text[1:-1].strip() if text.startswith('"') and text.endswith('"') and text.count('"') == len("ab") else text


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    number, unit = re.fullmatch(r"([\d.]+)\s*(\w+)", text).groups()  # type: ignore[union-attr] # as _TIME has it
    return float(number) * UNITS[unit]


def _amount(text: str | None) -> float | None:
    """Seconds of latency, or bytes per second."""
    if text is None or not text.endswith("/s"):
        return _seconds(text)
    number, unit = re.fullmatch(r"([\d.]+)\s*(\w+)/s", text).groups()  # type: ignore[union-attr] # as _SIZE has it
    return float(number) * SIZES[unit]


def read_faults(settings: "Settings") -> tuple[PlannedFault, ...]:
    """The faults of each phase, the first one first. Raises SettingsError as `parse_fault`."""
    result = sorted(map(parse_fault, settings.fault), key=lambda one: one.at)
    restarts = [one.at for one in result if one.action is Action.RESTART]
    return tuple(
        replace(one, until=next((at for at in restarts if at >= one.at), 0.0))
        if one.action is Action.KILL and not one.seconds
        else one
        for one in result
    )


def find_fault_conflicts(settings: "Settings") -> list[tuple[Fault, tuple[str, ...]]]:
    """Faults that cannot be carried out with these settings, each with the names of the settings involved."""
    fault_conflicts: list[tuple[Fault, tuple[str, ...]]] = []
    planned: list[tuple[str, PlannedFault]] = []
    for text in settings.fault:
        try:
            planned.append((text, parse_fault(text)))
        except SettingsError as error:
            fault_conflicts += [(fault, ("fault",)) for fault in error.faults]
    if settings.fault and settings.find_rate:
        problem = "would disturb the search for a rate (--find-rate)"
        shown_all = f'"{"; ".join(map(shown, settings.fault))}"'
        fault_conflicts.append((Fault("fault", shown_all, problem, "Omit one of the two."), ("fault", "find_rate")))
    for text, one in planned:
        fault_conflicts += [(fault, names) for fault, names in _find_outside(settings, text, one)]
        fault_conflicts += [(fault, names) for fault, names in _find_foreign(settings, text, one)]
    if not fault_conflicts:
        fault_conflicts += [(fault, ("fault",)) for fault in _find_overlaps(planned)]
    return fault_conflicts


def _find_outside(settings: "Settings", text: str, one: PlannedFault) -> list[tuple[Fault, tuple[str, ...]]]:
    """Times outside the phase. The length of a rate profile is known when its file is read: see `find_late`."""
    names = ("fault", "phase_seconds", "rate_profile")
    if one.at < EARLIEST:
        problem = f"is before second {EARLIEST:g} of the phase, so there is no throughput to compare with"
        return [(_refused(text, problem, f"Choose a second from {EARLIEST:g}"), names)]
    late = [] if settings.rate_profile else find_late(text, one, settings.phase_seconds, "raise --phase-seconds")
    return [(fault, names) for fault in late]


def find_late(text: str, one: PlannedFault, seconds: float, remedy: str) -> list[Fault]:
    """Why a fault is not within a phase of some seconds; `remedy` makes it longer."""
    length = f"a phase of {seconds:g} s"
    if one.at >= seconds:
        return [_refused(text, f"is outside {length}", f"Choose an earlier second, or {remedy}")]
    if one.end >= seconds:
        return [_refused(text, f"ends at second {one.end:g}, outside {length}", f"Shorten it, or {remedy}")]
    return []


def _find_foreign(settings: "Settings", text: str, one: PlannedFault) -> list[tuple[Fault, tuple[str, ...]]]:
    """Servers that are not this run's own, and addresses that the proxy cannot serve."""
    names = ("fault", "host")
    if one.action.is_of_server and settings.host:
        problem = "needs a server that this run has started, but --host is given"
        return [(_refused(text, problem, "Omit --host, or use command: with a command of your own"), names)]
    if one.action.is_of_proxy and settings.host.lower().startswith("unix:"):
        return [(_refused(text, "needs TCP, but --host is a Unix socket", "Give an address with a port"), names)]
    return []


def _find_overlaps(planned: list[tuple[str, PlannedFault]]) -> list[Fault]:
    """Faults of one thing that would undo each other; a killed server is down until it is restarted."""
    ordered = sorted(planned, key=lambda item: item[1].at)
    faults: list[Fault] = []
    of_server = [item for item in ordered if item[1].action.is_of_server]
    for place, (text, one) in enumerate(of_server):
        later = [other for _, other in of_server[place + 1 :]]
        is_open = one.action is Action.KILL and not one.seconds
        if is_open and not (later and later[0].action is Action.RESTART):
            hint = "Give the time until then, as in 20s kill server 5s, or add a restart server"
            faults.append(_refused(text, "has no restart after it", hint))
        elif later and later[0].at < one.end:
            faults.append(_refused(text, f"is not over when {later[0].name} begins", "Move one of them"))
    for action in (one for one in Action if one.is_of_proxy):
        same = [item for item in ordered if item[1].action is action]
        faults += [
            _refused(text, f"is not over when the next {action} begins", "Move one of them")
            for (text, one), (_, other) in pairwise(same)
            if other.at < one.end
        ]
    return faults
