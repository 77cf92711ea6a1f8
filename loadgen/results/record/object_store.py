"""Object storage for records, through fsspec: Amazon S3 and alike, Google Cloud Storage, Azure Blob Storage.

Credentials come from the environment in the way of each library, never from the URL.
"""

import contextlib
import os
import threading
from importlib.util import find_spec
from typing import Any

from loadgen.settings.faults import Fault, SettingsError
from loadgen.text.secrets import find_secret_variables, mask_secrets

EXTRA = "object-storage"
PROBE_SECONDS = 30.0
"""Maximum time for writing and removing the probe."""
PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs"}
"""The package for each scheme."""
VARIABLES = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, for others than Amazon AWS_ENDPOINT_URL",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {"config_kwargs": {"connect_timeout": 5, "read_timeout": 20, "retries": {"max_attempts": 1}}},
    "gs": {},
    "az": {"anon": False},
}
"""Of each library: an answer, or none, within seconds."""
CONTENT = b"Written and removed by milvus-loadgen to see whether it may store a run record here.\n"
LONGEST_REASON = 300


class ObjectStoreError(RuntimeError):
    """An object cannot be stored: why, in one line without secrets."""


def check_installed(url: str) -> Fault | None:
    """A fault if the packages for this URL are missing."""
    package = PACKAGES.get(url.partition("://")[0], "")
    if not package or (find_spec("fsspec") and find_spec(package)):
        return None
    hint = f"Install it: pip install 'milvus-loadgen[{EXTRA}]'."
    return Fault("record_url", url, f"needs {package}, not installed", hint)


class ObjectStore:
    """A folder of object storage. Blocks: use it on a thread. Objects are replaced as a whole."""

    def __init__(self, url: str) -> None:
        """Sends nothing yet. Raises ObjectStoreError if the library refuses its settings."""
        self._scheme, _, self._folder = url.rstrip("/").partition("://")
        try:
            import fsspec

            fixed = {"skip_instance_cache": True, "use_listings_cache": False}
            self._files = fsspec.filesystem(self._scheme, **fixed, **OPTIONS[self._scheme])
        except Exception as error:
            raise ObjectStoreError(describe(error)) from error

    def write(self, name: str, content: bytes) -> None:
        """Store an object, replacing an earlier one. Raises ObjectStoreError."""
        try:
            self._files.pipe_file(f"{self._folder}/{name}", content)
        except Exception as error:
            raise ObjectStoreError(describe(error)) from error

    def remove(self, name: str) -> None:
        """Remove an object. Raises ObjectStoreError."""
        try:
            self._files.rm_file(f"{self._folder}/{name}")
        except Exception as error:
            raise ObjectStoreError(describe(error)) from error


def describe(error: BaseException) -> str:
    """The reason in one line, without the secrets of the environment."""
    words = " ".join(str(error).split()) or type(error).__name__
    return mask_secrets(words, find_secret_variables())[:LONGEST_REASON]


def probe_store(url: str, seconds: float = PROBE_SECONDS) -> None:
    """Write and remove a small object. Raises SettingsError if that fails, or takes longer. Blocks."""
    if fault := check_installed(url):
        raise SettingsError([fault])
    problems: list[str] = []
    done = threading.Event()

    def work() -> None:
        try:
            _write_and_remove(url)
        except Exception as error:  # noqa: BLE001 - ObjectStoreError, or a fault of a library
            problems.append(f"cannot be written to ({describe(error)})")
        done.set()

    threading.Thread(target=work, name="loadgen-record-probe", daemon=True).start()
    if not done.wait(seconds):
        problems.append(f"has not answered within {seconds:g} s")
    if problems:
        scheme = url.partition("://")[0]
        hint = f"Check that the bucket exists, and the variables {VARIABLES[scheme]}."
        raise SettingsError([Fault("record_url", url, problems[0], hint)])


def _write_and_remove(url: str) -> None:
    store, name = ObjectStore(url), f"loadgen-probe-{os.urandom(4).hex()}"
    store.write(name, CONTENT)
    with contextlib.suppress(ObjectStoreError):  # who may write need not be allowed to delete
        store.remove(name)
