"""Commands as a person runs them: in true processes, or in children of a process that has imported everything."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]
FORK_SERVER = Path(__file__).with_name("fork_server.py")
SECONDS = 60.0
"""For one command: the machine may be busy."""
FOLDERS = {"HOME": "home", "TMPDIR": "temporary", "XDG_CACHE_HOME": "home/cache"}
"""Variables by which a process finds folders to write to, each with a folder that is looked at afterwards."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    reported: str
    """All of its output."""
    written: tuple[str, ...]
    """What it has left in the working folder, in the home folder or among the temporary files."""


@dataclass(frozen=True, slots=True)
class Command:
    """What is typed, and the variables that are set beside those of a plain shell."""

    arguments: Sequence[str]
    """The first is `locust` or `loadgen`."""
    variables: Mapping[str, str] = field(default_factory=dict)

    def environment(self, folder: Path) -> dict[str, str]:
        """The variables of its process."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("LOADGEN_", "LOCUST_"))}
        result = {name: str(folder / part) for name, part in FOLDERS.items()}
        paths = os.pathsep.join(filter(None, [str(ROOT), clean.get("PYTHONPATH", "")]))
        return clean | result | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"} | dict(self.variables)

    def typed(self) -> list[str]:
        """Its arguments, with the path of the console script."""
        return [str(Path(sys.executable).with_name(self.arguments[0])), *self.arguments[1:]]


def run(command: Command, folder: Path) -> Done:
    """Run it in a true process, in `work` of a folder."""
    before = _prepare(folder)
    done = subprocess.run(
        command.typed(),
        cwd=folder / "work",
        env=command.environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
        check=False,
        start_new_session=True,
    )
    return Done(done.returncode, _decode(done.stdout) + _decode(done.stderr), _find_new(folder, before))


class ForkServer:
    """The process of `fork_server.py`; `patched` as a `locust` process is before it has read its locustfile."""

    def __init__(self, *, patched: bool = False) -> None:
        environment = Command([]).environment(Path(os.devnull)) | {name: os.environ.get(name, "") for name in FOLDERS}
        self._process = subprocess.Popen(
            [sys.executable, str(FORK_SERVER), *(["patched"] if patched else [])],
            env={name: value for name, value in environment.items() if value},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.threads: int = self._answer()["threads"]
        """Of the process that forks: one, as no other would be there in a child."""

    def run(self, command: Command, folder: Path) -> Done:
        """Run it in a child, in `work` of a folder."""
        before = _prepare(folder)
        files = {name: folder / name for name in ("out", "err")}
        for file in files.values():
            file.write_bytes(b"")
        asked = {
            "arguments": command.typed(),
            "variables": command.environment(folder) | ({} if self.is_patched else {"LOCUST_SKIP_MONKEY_PATCH": "1"}),
            "folder": str(folder / "work"),
            "seconds": SECONDS,
        } | {name: str(file) for name, file in files.items()}
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(asked)}\n")
        self._process.stdin.flush()
        code = self._answer()["code"]
        return Done(code, "".join(_decode(file.read_bytes()) for file in files.values()), _find_new(folder, before))

    @property
    def is_patched(self) -> bool:
        """Whether gevent has patched its children."""
        return "patched" in self._process.args  # type: ignore[operator]

    def _answer(self) -> dict[str, int]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the fork server has ended ({self._process.wait()})"
        result: dict[str, int] = json.loads(line)
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=SECONDS)


def _prepare(folder: Path) -> frozenset[Path]:
    """The folders that a command may find; what is in them before it runs."""
    for name in ("work", *FOLDERS.values()):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return frozenset(_contents(folder))


def _contents(folder: Path) -> Iterator[Path]:
    for name in ("work", "home", "temporary"):
        yield from (folder / name).rglob("*")


def _find_new(folder: Path, before: frozenset[Path]) -> tuple[str, ...]:
    return tuple(sorted(str(path.relative_to(folder)) for path in set(_contents(folder)) - before))


def _decode(text: bytes) -> str:
    return text.decode("utf-8", errors="surrogateescape")


class Listener:
    """A port of this machine that counts who connects to it, and says nothing to anybody."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self.accepted = 0
        self.uri = f"http://127.0.0.1:{listening.getsockname()[1]}"
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            try:
                connected, _ = self._listening.accept()
            except OSError:  # it was closed
                return
            self.accepted += 1
            connected.close()


@contextmanager
def listener() -> Iterator[Listener]:
    """A listener on loopback until the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield Listener(listening)
        listening.shutdown(socket.SHUT_RDWR)
