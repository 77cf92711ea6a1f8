"""What the data say, in the place of defaults: dimension, metric, number of rows and of queries."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from loadgen.datasets.files import Content, DataFileError
from loadgen.datasets.files.file_dataset import find_query_flaw
from loadgen.datasets.files.known import read_numbers
from loadgen.datasets.formats import open_content, read_queries
from loadgen.datasets.neighbours import count_checked
from loadgen.settings.data_conflicts import find_data_conflicts
from loadgen.settings.data_settings import SYNTHETIC
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings
from loadgen.settings.variants import find_variants, settings_of


def resolve_settings(settings: Settings) -> Settings:
    """The settings with the values of the dataset and the query file. Raises SettingsError with all faults."""
    if settings.dataset == SYNTHETIC and not settings.query_file:
        return settings
    if settings.existing:
        return _resolve_queries(settings)
    contents: dict[str, Content] = {}
    faults: list[Fault] = []
    for name in ("dataset", "query_file"):
        path = getattr(settings, name)
        if path in ("", SYNTHETIC):
            continue
        try:
            contents[name] = open_content(path)
        except DataFileError as error:
            faults.append(error.as_fault(name))
    values = _find_values(settings, contents)
    faults += _find_contradictions(settings, values)
    resolved = settings.model_copy(update=values)
    for name, content in contents.items():
        try:
            _check_queries(resolved, content, is_asked=name == "query_file" or "query_file" not in contents)
        except DataFileError as error:
            faults.append(error.as_fault(name))
    if not faults:
        faults = list(dict.fromkeys(_find_conflicts(resolved)))
    if faults:
        raise SettingsError(faults)
    return resolved


def _resolve_queries(settings: Settings) -> Settings:
    """With the number of queries in the file; its dimension is compared once the collection is known."""
    try:
        content = open_content(settings.query_file)
    except DataFileError as error:
        raise SettingsError([error.as_fault("query_file")]) from error
    result = {"queries": min(settings.queries, (content.test or content.train).size)}
    if faults := [*_find_contradictions(settings, result)]:
        raise SettingsError(faults)
    return settings.model_copy(update=result)


def _find_values(settings: Settings, contents: Mapping[str, Content]) -> dict[str, Any]:
    """The values of the files for the settings that they decide."""
    values: dict[str, Any] = {}
    data = contents.get("dataset")
    if data is not None:
        is_cut = settings.is_given("rows") and settings.rows < data.train.size
        values = {"dim": data.train.dim, "rows": settings.rows if is_cut else data.train.size}
        if data.metric:
            values["metric"] = data.metric
        elif data.usual_metric and not settings.is_given("metric"):
            values["metric"] = data.usual_metric
    asked = contents.get("query_file") or data
    if asked is not None and (asked.test or asked is not data):
        values["queries"] = min(settings.queries, (asked.test or asked.train).size)
    return values


def _find_contradictions(settings: Settings, result: Mapping[str, Any]) -> Iterator[Fault]:
    for name, value in result.items():
        given = getattr(settings, name)
        if given == value or not settings.is_given(name):
            continue
        is_number = name in ("rows", "queries")
        file = settings.query_file if name == "queries" and settings.query_file else settings.dataset
        problem = f"is {'more than' if is_number else 'not'} the {value} of {file}"
        hint = f"Leave out --{name} to use the value of the file{', or give less' if is_number else ''}."
        yield Fault(name, str(given), problem, hint)


def _check_queries(settings: Settings, content: Content, *, is_asked: bool) -> None:
    """Raise DataFileError for queries that cannot be asked, and for neighbours that are no rows."""
    if content.test is not None and content.test.dim != content.train.dim:
        problem = f"has queries of dimension {content.test.dim}, and rows of {content.train.dim}"
        raise DataFileError(content.path, problem, "Use rows and queries of the same data.")
    if content.test is not None:
        read_numbers(content, min(content.test.size, count_checked(settings.queries, 1)))
    if not is_asked or (content.test is None and str(content.path) == str(Path(settings.dataset))):
        return
    if flaw := find_query_flaw(read_queries(content, settings), settings.metric):
        raise DataFileError(content.path, *flaw)


def _find_conflicts(settings: Settings) -> Iterator[Fault]:
    """Faults that only the values of the data show, of the run and of its variants."""
    for one in (settings, *(settings_of(settings, variant) for variant in find_variants(settings))):
        yield from (fault for fault, _ in find_data_conflicts(one))
