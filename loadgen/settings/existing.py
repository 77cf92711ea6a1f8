"""Conflicts between settings for an existing collection and settings for one that the tool creates."""

from typing import TYPE_CHECKING

from loadgen.settings.data_settings import SYNTHETIC
from loadgen.settings.faults import Fault

if TYPE_CHECKING:
    from loadgen.settings.model import Settings

CHANGING = ("fresh", "overwrite", "upsert")
"""Switches that would change an existing collection."""
FIELDS = ("id_field", "embedding_field", "text_field", "sparse_field", "doc_id_field")
ONLY_FOR_EXISTING = ("allow_writes", *FIELDS)


def find_existing_conflicts(settings: "Settings") -> list[tuple[Fault, tuple[str, ...]]]:
    """All conflicts, each with the names of the settings involved."""
    existing_conflicts: list[tuple[Fault, tuple[str, ...]]] = []
    if not settings.existing:
        for name in ONLY_FOR_EXISTING:
            if value := getattr(settings, name):
                shown = value if isinstance(value, str) else ""
                fault = Fault(name, shown, "is for an existing collection", "Add --existing, or omit it.")
                existing_conflicts.append((fault, (name, "existing")))
        return existing_conflicts
    for name in CHANGING:
        if getattr(settings, name):
            problem = "would change the collection, but --existing measures it as it is"
            existing_conflicts.append((Fault(name, "", problem, "Omit one of the two."), (name, "existing")))
    if settings.dataset != SYNTHETIC:
        problem = "names data to load, but --existing loads none"
        hint = "Omit one of the two; --query-file has the queries of an existing collection."
        existing_conflicts.append((Fault("dataset", settings.dataset, problem, hint), ("dataset", "existing")))
    if not settings.host:
        problem = "is required with --existing: a server started for the run is empty"
        fault = Fault("host", "", problem, "Give the address of the server with the collection.")
        existing_conflicts.append((fault, ("host", "existing")))
    return existing_conflicts
