"""How operations end, from the enumeration, and which errors lead there, from the tables that classify them."""

import ast
import inspect
from collections.abc import Iterator

from docs.site.reference.tables import plain, table_of
from loadgen.clients.outcomes import BY_STATUS, BY_TYPE, MILVUS_CODES, OF_HTTP
from loadgen.measure.sample import Outcome


def list_outcomes() -> Iterator[str]:
    """A table of the outcomes."""
    texts = _docstrings(Outcome)
    yield from table_of(
        ("outcome", "counts as", "meaning"),
        [(f"`{one}`", "failure" if one.is_failure else "answer", plain(texts[one.name])) for one in Outcome],
    )


def list_errors() -> Iterator[str]:
    """A table of the errors that are known; all others are `failed`."""
    rows = [("gRPC", f"`{status.name}`", "", outcome) for status, outcome in BY_STATUS.items()]
    rows += [("model server", f"`{name}`", "", outcome) for name, outcome in OF_HTTP.items()]
    rows += [
        ("model server", "429", "too many requests", Outcome.THROTTLED),
        ("model server", "500 and above", "", Outcome.UNAVAILABLE),
        ("model server", "other statuses", "", Outcome.REJECTED),
    ]
    rows += [("Python", f"`{kind.__name__}`", "", outcome) for kind, outcome in BY_TYPE]
    rows += [("Milvus", f"{code}", text, outcome) for code, (outcome, text) in MILVUS_CODES.items()]
    yield from table_of(
        ("from", "error", "meaning", "outcome"), [(where, error, text, f"`{one}`") for where, error, text, one in rows]
    )


def _docstrings(kind: type) -> dict[str, str]:
    """The docstrings of the members of an enumeration, which Python does not keep."""
    body = ast.parse(inspect.getsource(kind)).body[0]
    assert isinstance(body, ast.ClassDef)  # noqa: S101
    result = {}
    for one, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(one, ast.Assign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            (name,) = one.targets
            result[ast.unparse(name)] = str(after.value.value)
    return result
