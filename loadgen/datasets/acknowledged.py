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
        """The ids of all rows that should be there, each once.

        Where a document was deleted of which nothing is known, rows of a user's own may have been part of it.
        """
        ids = dict.fromkeys(self._ids)
        gone = {row for document in self._deleted for row in self._documents.get(document, (document,))}
        known = {row for rows in self._documents.values() for row in rows}
        is_open = any(one not in self._documents and one not in ids for one in self._deleted)
        return [row for row in ids if row not in gone and (row in known or not is_open)]
