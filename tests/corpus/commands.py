"""The command of each case, with the files that it needs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from loadgen.results.record.writing import as_json
from tests.corpus.running import ROOT, Command
from tests.corpus.tables import Case
from tests.unit.record_support import comparison, phase, record, timed

SEARCH = str(ROOT / "locustfiles" / "search.py")
ENCODING = ("utf-8", "surrogateescape")
"""How a table writes bytes that are no UTF-8: \\udcff is the byte 0xff."""


def find_commands(case: Case, folder: Path, uri: str) -> list[Command]:
    """What is typed for a case, once or for each command that reads its record; `uri` is a server not to be asked."""
    return COMMANDS[case.way](case.given, folder, uri)


def _flags(given: Any, folder: Path, uri: str) -> list[Command]:
    del folder
    host = () if {"--host", "-H"} & set(given["flags"]) or given.get("page") else ("--host", uri)
    return [Command(["locust", "-f", SEARCH, *(() if given.get("page") else ("--headless",)), *host, *given["flags"]])]


def _requirements(given: Any, folder: Path, uri: str) -> list[Command]:
    return _flags({"flags": ["--require", given["require"]]}, folder, uri)


def _variables(given: Any, folder: Path, uri: str) -> list[Command]:
    del folder
    host = () if "LOADGEN_HOST" in given["variables"] else ("--host", uri)
    headless = () if "LOCUST_HEADLESS" in given["variables"] else ("--headless",)
    return [Command(["locust", "-f", SEARCH, *headless, *host], given["variables"])]


def _config_files(given: Any, folder: Path, uri: str) -> list[Command]:
    file = _write(folder / given.get("name", "run.yaml"), given["file"])
    host = () if given["file"].startswith("host") else ("--host", uri)
    return [Command(["locust", "-f", SEARCH, "--headless", *host, "--config", str(file)])]


def _locustfiles(given: Any, folder: Path, uri: str) -> list[Command]:
    for name, text in given.get("files", {}).items():
        _write(folder / name, text)
    name = given["name"] if "name" in given else next(iter(given["files"]))
    paths = ",".join(part if part.startswith("/") or not part else str(folder / part) for part in name.split(","))
    return [Command(["locust", "-f", paths, "--headless", "--host", uri])]


def _commands(given: Any, folder: Path, uri: str) -> list[Command]:
    good = _write(folder / "good.json", json.dumps(good_record()))
    names = {"GOOD": str(good), "SEARCH": SEARCH, "URI": uri}
    return [Command(["loadgen", *(names.get(word, word) for word in given["command"])])]


def _records(given: Any, folder: Path, uri: str) -> list[Command]:
    del uri
    good = str(_write(folder / "good.json", json.dumps(good_record())))
    bad = str(_make_record(given, folder / "bad.json"))
    result = [Command(["loadgen", "report", bad]), Command(["loadgen", "compare", good, bad])]
    return result[:1] if given.get("only") == "report" else result


def _make_record(given: Any, path: Path) -> Path:
    """A file that is no record, or a good one with something in it changed."""
    if "text" in given:
        return _write(path, given["text"])
    if "special" in given:
        SPECIAL[given["special"]](path)
        return path
    values = good_record()
    place = values
    *way, last = [int(part) if part.isdecimal() else part for part in str(given["at"]).split("/")]
    for part in way:
        place = place[part]
    if "put" in given or "raw" in given:
        place[last] = given.get("put", "RAW")
    else:
        del place[last]
    return _write(path, json.dumps(values).replace('"RAW"', given.get("raw", ""), 1))


def _make_sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


SPECIAL: dict[str, Callable[[Path], object]] = {
    "folder": Path.mkdir,
    "link to itself": lambda path: path.symlink_to(path.name),
    "missing": lambda path: path,
    "a terabyte": _make_sparse,
    "a link to zeros": lambda path: path.symlink_to("/dev/zero"),
    "nothing but spaces": lambda path: path.write_bytes(b" " * 50_000_000),
    "half a record": lambda path: path.write_text(json.dumps(good_record())[:1_000]),
    "two records": lambda path: path.write_text(json.dumps(good_record()) * 2),
    "a mark of byte order": lambda path: path.write_text(f"\ufeff{json.dumps(good_record())}"),
}


def good_record() -> Any:
    """The plain values of a record that both commands take."""
    phases = [phase(mode, 8, timed([10] * 5)) for mode in ("sync", "async", "async", "sync")]
    return json.loads(as_json(record(*phases, comparisons=(comparison(8),))))


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if text == "FOLDER":
        path.mkdir()
    else:
        path.write_bytes(text.encode(*ENCODING))
    return path


COMMANDS: dict[str, Callable[[Any, Path, str], list[Command]]] = {
    "flags": _flags,
    "requirements": _requirements,
    "variables": _variables,
    "config_files": _config_files,
    "locustfiles": _locustfiles,
    "commands": _commands,
    "records": _records,
}
WAYS = tuple(COMMANDS)
"""The tables whose cases are commands; `page` is the other one."""
