"""Locust's own flags whose values it takes as they are, to stumble over them while a run is on its way or over."""

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from loadgen.results.record import check_folder
from loadgen.settings.conflicts import is_file
from loadgen.settings.faults import Fault

FILES = {"html_file": "html", "json_file": "json_file", "csv_prefix": "csv", "logfile": "logfile"}
"""Options that name a file to write, and the flag of each."""
CERTIFICATES = ("tls_cert", "tls_key")


def find_flag_faults(options: Namespace) -> list[Fault]:
    """A fault for each such flag whose value cannot be meant."""
    return [*_users(options), *_outputs(options), *_certificates(options)]


def _users(options: Namespace) -> Iterator[Fault]:
    if options.num_users is not None and options.num_users < 1:
        yield Fault("users", str(options.num_users), "are no users", "Give a number from 1.")


def _outputs(options: Namespace) -> Iterator[Fault]:
    """Locust makes the folder of such a file; it cannot where a file is in the way, or where it may not write."""
    for name, flag in FILES.items():
        path = getattr(options, name)
        if path and (fault := check_folder(Path(path).parent)):
            yield fault._replace(setting=flag, value=path, way_out="Name a file in a folder that you may write to.")


def _certificates(options: Namespace) -> Iterator[Fault]:
    """Of the page: Locust would listen, and serve nothing."""
    for name in CERTIFICATES:
        path = getattr(options, name)
        if path and not is_file(path):
            yield Fault(name, path, "is no file", "Give the path of a PEM file.")
