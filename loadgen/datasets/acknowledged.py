"""The rows whose inserts the server has acknowledged, to be searched for after a phase with faults."""

from collections.abc import Iterable

from loadgen.datasets.rows import Row


class Acknowledged:
    """Of one process and phase. Used by users on any thread: each method is one operation of a list or a dict."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._documents: dict[str, tuple[str, ...]] = {}
        """The ids of the rows of each document."""
        self._deleted: list[str] = []

    def know(self, rows: Iterable[Row]) -> None:
        """Rows that will be inserted: a delete of their document deletes them."""
        for row in rows:
            self._documents[row.source] = (*self._documents.get(row.source, ()), str(row.row_id))

    def add(self, ids: Iterable[object]) -> None:
        """An insert of rows with these ids was acknowledged."""
        self._ids.extend(map(str, ids))

    def forget(self, document: str) -> None:
        """A delete of a document begins: whether its rows are still there is unknown from now on."""
        self._deleted.append(document)

    def take(self) -> list[str]:
        """The ids of all rows that should be there, each once."""
        gone = {row for document in self._deleted for row in self._documents.get(document, (document,))}
        return [row for row in dict.fromkeys(self._ids) if row not in gone]
