"""The folder of a server's data and log: a temporary one, or one that stays."""

import fcntl
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from loadgen.milvus.server.errors import RefusedError

PREFIX = "milvus-loadgen-"


def locate_mark(data: Path) -> Path:
    """Marker file next to the data of one kind: a server has served it, so it may matter."""
    return data.with_name(f"{data.name}.answered")


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder used by one server at a time, locked by the file descriptor `lock`. Absolute path."""

    path: Path
    temporary: bool
    lock: int

    @property
    def log(self) -> Path:
        """Standard output and error of the server."""
        return self.path / "server.log"


def open_folder(data: Path | None) -> Folder:
    """`data`, made if it is missing, or a new temporary folder.

    Raises `RefusedError` if it is a file, cannot be written, or is in use by another server.
    """
    if data is None:
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
    else:
        path = data.expanduser().absolute()
        if path.exists() and not path.is_dir():
            raise RefusedError(f"data folder {path} is a file; name a folder, or none for a temporary one")
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = os.open(path / "loadgen.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise RefusedError(f"data folder {path} cannot be written ({error.strerror}); name another") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise RefusedError(f"data folder {path} is in use by another server; stop that one or name another") from None
    return Folder(path, data is None, lock)
