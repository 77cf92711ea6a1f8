"""Drive LlamaIndex's MilvusVectorStore, blocking and asyncio, from Locust."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loadgen.locust_plugin import plug
    from loadgen.measure.operation import Operation
    from loadgen.users import AsyncUser, SyncUser

    __version__: str

__all__ = ["AsyncUser", "Operation", "SyncUser", "plug"]


def __getattr__(name: str) -> object:
    """Import the users and the plugin on first use, so that `loadgen serve` never loads Locust."""
    if name == "__version__":
        return _read_version()
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "Operation":
        from loadgen.measure.operation import Operation

        return Operation
    from loadgen.runtime.patching import ensure_unpatched

    ensure_unpatched()
    try:
        if name == "plug":
            from loadgen.locust_plugin import plug

            return plug
        from loadgen import users

        _expect_plug()
        return getattr(users, name)
    except KeyboardInterrupt:
        # LlamaIndex and gRPC take seconds to import, and nothing has been started that had to be ended.
        sys.stderr.write("Interrupted before the run began.\n")
        raise SystemExit(130) from None


def _read_version() -> str:
    """The version that is installed; `0+unknown` for sources that are imported without an installation."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("milvus-loadgen")
    except PackageNotFoundError:
        return "0+unknown"


def _expect_plug() -> None:
    """Have the `locust` command refuse a locustfile with our users that never calls `plug`."""
    from loadgen.runtime.patching import is_locust_command

    if is_locust_command():
        from loadgen.locust_plugin import prepare_command

        prepare_command()
