"""The manifest's entries on the machine, the packages and the command, with secrets removed."""

import os
import platform
import re
import shlex
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel, JsonValue, SecretStr

from loadgen.settings.conflicts import without_secret
from loadgen.settings.credentials import find_secrets
from loadgen.settings.flags import RUN
from loadgen.settings.model import Settings
from loadgen.text.secrets import find_secret_variables, mask_secrets

MASK = "***"
COMMAND = "command:"
"""In the value of --fault."""
SECRET_FLAGS = frozenset(f"--{name.replace('_', '-')}" for name in find_secrets(Settings))
"""Flags whose values are masked; abbreviations of them are not accepted."""
FLAG = re.compile(r"--[a-z][a-z-]*=|-H")
CPUINFO = Path("/proc/cpuinfo")
CPU_LINE = re.compile(r"^(?:model name|Model|Hardware|cpu model)\s*:\s*(\S.*?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the load came from: values of the manifest keys of the same names."""

    cpu_model: str
    cpu_count: int
    """Cores that this process may use."""
    memory_bytes: int | None
    """Physical memory; None if the system does not report it."""
    python: str


def describe_machine(cpuinfo: Path = CPUINFO) -> Machine:
    """The machine that this process runs on."""
    implementation, number = platform.python_implementation(), platform.python_version()
    return Machine(_cpu_model(cpuinfo), _cpu_count(), _memory_bytes(), f"{implementation} {number}")


def _cpu_model(cpuinfo: Path) -> str:
    try:
        match = CPU_LINE.search(cpuinfo.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        match = None
    return match[1] if match else platform.processor() or platform.machine() or "unknown"


def _cpu_count() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not available on macOS and Windows
        return os.cpu_count() or 1


def _memory_bytes() -> int | None:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
    return size if size > 0 else None


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """Version of each installed distribution, in the order given."""
    result = {name: _find_version(name) for name in names}
    return {name: text for name, text in result.items() if text is not None}


@cache
def _find_version(name: str) -> str | None:
    """The version of an installed distribution: to find it, all of its metadata are parsed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def settings_without_secrets(settings: BaseModel) -> dict[str, JsonValue]:
    """Plain values of all settings; secret ones are omitted, a password in an address is masked."""
    values: dict[str, JsonValue] = settings.model_dump(mode="json", exclude=set(find_secrets(type(settings))))
    if isinstance(faults := values.get("fault"), list):
        values["fault"] = [mask_secrets(str(one), _known(settings)) for one in faults]
    return {
        name: without_secret(value) if isinstance(value, str) and "://" in value else value
        for name, value in values.items()
    }


def _known(settings: BaseModel) -> list[str]:
    """Secrets that a command may contain."""
    own = [value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)]
    return [*own, *find_secret_variables()]


def mask_command_line(arguments: Sequence[str], secret: Collection[str] = ()) -> str:
    """The command as one shell line; secrets, and anything before an @ that may be a password, are masked.

    `secret` are the secret flags of a locustfile, which Locust also accepts abbreviated. A first argument such as
    `loadgen run search` is several words of the line.
    """
    if arguments and arguments[0].startswith(RUN):
        arguments = [*arguments[0].split(), *arguments[1:]]
    shown: list[str] = []
    is_value = False
    for argument in arguments:
        flag, mark, _ = argument.partition("=")
        short = argument[:2]
        hides = _hides(flag, secret)
        if is_value:
            shown.append(MASK)
        elif mark and hides:
            shown.append(f"{flag}={MASK}")
        elif len(argument) > len(short) and short in secret:
            shown.append(f"{short}{MASK}")
        else:
            shown.append(_mask_command(argument) if COMMAND in argument else _mask_password(argument))
        is_value = hides and not mark and not is_value
    return shlex.join(shown)


def _mask_command(text: str) -> str:
    """A fault with a command: its own secrets are masked, the rest is shown."""
    return mask_secrets(text, find_secret_variables())


def _hides(flag: str, secret: Collection[str]) -> bool:
    """Whether the value of this flag is secret; flags of a locustfile may be abbreviated."""
    if flag in SECRET_FLAGS or flag in secret:
        return True
    return len(flag) > len("--") and flag.startswith("--") and any(one.startswith(flag) for one in secret)


def _mask_password(text: str) -> str:
    """Mask all before the last @ except a flag and a scheme: `--host=http://root:secret@there` too."""
    if "@" not in text:
        return text
    if "://" in text:
        return without_secret(text)
    flag = FLAG.match(text)
    return f"{flag[0] if flag else ''}{MASK}@{text.rpartition('@')[2]}"
