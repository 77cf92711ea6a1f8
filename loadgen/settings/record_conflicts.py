"""Conflicts between the settings of where the record is kept."""

import re
from typing import TYPE_CHECKING

from loadgen.settings.faults import Fault
from loadgen.settings.rate_search import is_search
from loadgen.text.secrets import MASK

if TYPE_CHECKING:
    from loadgen.settings.model import Settings

STORES = ("s3", "gs", "az")
"""Schemes of `record_url`: Amazon S3 and what speaks its protocol, Google Cloud Storage, Azure Blob Storage."""
URL_HINT = "Give a bucket and a folder in it, such as s3://my-bucket/loadgen."
_PLACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,250}(/[A-Za-z0-9._=-]+)*/?")
_SECRET = re.compile(r"(://)[^/]*@")


def find_record_conflicts(settings: "Settings") -> list[tuple[Fault, tuple[str, ...]]]:
    """Each fault with the names of the settings involved."""
    record_conflicts: list[tuple[Fault, tuple[str, ...]]] = []
    if settings.record_url:
        shown = _SECRET.sub(rf"\g<1>{MASK}@", settings.record_url)
        if flaw := _find_url_flaw(settings.record_url):
            record_conflicts.append((Fault("record_url", shown, *flaw), ("record_url",)))
        if not settings.record:
            problem = "has no record to store: --record is empty"
            record_conflicts.append(
                (Fault("record_url", shown, problem, "Name a folder, such as --record runs."), _RECORD_URL)
            )
    if settings.resume and not settings.record:
        problem = "has no record to continue: --record is empty"
        record_conflicts.append(
            (Fault("resume", "", problem, "Name a folder, such as --record runs/nightly."), _RESUME)
        )
    if settings.resume and is_search(settings):
        problem = "is for a plan of phases, but --find-rate finds its steps one by one"
        record_conflicts.append((Fault("resume", "", problem, "Omit it."), ("resume", "find_rate")))
    return record_conflicts


_RECORD_URL, _RESUME = ("record_url", "record"), ("resume", "record")


def _find_url_flaw(url: str) -> tuple[str, str] | None:
    scheme, mark, place = url.partition("://")
    if not mark or scheme not in STORES:
        return f"is not an address that starts with {', '.join(f'{one}://' for one in STORES)}", URL_HINT
    if "@" in place:
        hint = "Omit it, and set the variables of the store, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        return "contains a credential, which would be recorded", hint
    if not _PLACE.fullmatch(place):
        return "names no bucket, or contains other characters than letters, digits, . _ = - and /", URL_HINT
    return None
